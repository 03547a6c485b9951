"""Enter a target's channel files into its map, and correct entries that lead nowhere. Touches no channel file.

Each JSON file is told with what can be done with it.
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.merge.adopt import Adoption, adopt_target
from dce_play.layout import TargetLayout
from dce_play.plugin import Change, Context, Effects, Info, StepPlan, StepResult, View
from dce_play.system.counted import counted

NAME = "archive.adopt"
EFFECTS = Effects.ARCHIVE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose files."""

    target: Annotated[str, Info(help="Name of the target.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What is there."""

    added: Annotated[int, Info(help="Map entries that were added.")]
    repaired: Annotated[int, Info(help="Map entries that were corrected.")]
    ok: Annotated[bool, Info(help="Whether a run can go on with every file.")]
    files: Annotated[dict[str, str], Info(help="Each file that needs a decision, with what it is.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Look at the files."""
    adoption = adopt_target(_layout(params, view), dry_run=True)
    changes = tuple(
        Change(what=f"enter channel {seed.channel_id} into the map", path=seed.path)
        for seed in (*adoption.bootstrap.added, *adoption.bootstrap.repaired)
    )
    return StepPlan(summary=f"would change {counted(len(changes), 'map entry', 'map entries')}", changes=changes)


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Enter them."""
    adoption = adopt_target(_layout(params, ctx))
    for line in adoption.bootstrap.lines(adoption.folder):
        ctx.reporter.say(line)
    for file in adoption.files:
        ctx.reporter.item(shown(file.path.name), file.fitness.value, file.detail)
    bootstrap = adoption.bootstrap
    return StepResult(
        changed=bool(bootstrap.added or bootstrap.repaired),
        summary=f"{counted(len(bootstrap.added), 'map entry', 'map entries')} added, "
        f"{len(bootstrap.repaired)} corrected",
        outputs=Outputs(
            added=len(bootstrap.added), repaired=len(bootstrap.repaired), ok=adoption.ok, files=_undecided(adoption)
        ),
    )


def _undecided(adoption: Adoption) -> dict[str, str]:
    return {shown(file.path): file.fitness.value for file in adoption.undecided}


def _layout(params: Params, view: View) -> TargetLayout:
    return TargetLayout(view.chosen_targets(params.target)[0].output_dir)
