"""Check that a target's kept media are there, and that every file of its store has a line; deep: their bytes, too."""

from dataclasses import dataclass
from typing import Annotated

from dce_play.discord.media_store.verify import verify_store
from dce_play.layout import TargetLayout
from dce_play.plugin import Context, Effects, Info, StepFailed, StepResult
from dce_play.system.counted import counted

NAME = "media.verify"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose media, and how thoroughly."""

    target: Annotated[str, Info(help="Name of the target.")]
    deep: Annotated[bool, Info(help="Read every byte and compare its digest.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was found."""

    findings: Annotated[int, Info(help="Lines without a file, files without a line, other bytes, broken lines.")]


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Look, and tell."""
    target = ctx.chosen_targets(params.target)[0]
    count = 0
    for finding in verify_store(TargetLayout(target.output_dir), deep=params.deep):
        count += 1
        ctx.reporter.say(f"{finding.fault.value}: {finding.detail}")
    outputs = Outputs(findings=count)
    if count:
        raise StepFailed(f"target {target.name!r}: {counted(count, 'finding')} in its media", outputs=outputs)
    return StepResult(changed=False, summary="media are sound", outputs=outputs)
