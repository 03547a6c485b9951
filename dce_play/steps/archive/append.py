"""Put exports into a channel file: costs as much as the new messages, and survives a crash at any moment.

The exports are left alone; giving one again adds nothing.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from dce_play.discord.archive.append.append import (
    AppendOptions,
    AppendOutcome,
    EditPolicy,
    GapPolicy,
    append,
    plan_append,
)
from dce_play.discord.archive.folder.places import layout_of
from dce_play.errors import UsageError
from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.system.counted import counted
from dce_play.system.durable.whole_files import is_below

NAME = "archive.append"
EFFECTS = Effects.ARCHIVE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What goes where."""

    archive: Annotated[Path, Info(help="The channel file, below the archive root.")]
    deltas: Annotated[tuple[Path, ...], Info(help="Exports of the same channel.")]
    edits: Annotated[
        Literal["ignore", "sidecar", "rewrite"], Info(help="What becomes of newer copies of stored messages.")
    ] = "sidecar"
    holes: Annotated[
        Literal["merge", "report"], Info(help="What becomes of older messages that the archive lacks.")
    ] = "merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came of it."""

    path: Annotated[str, Info(help="The channel file.")]
    before_count: Annotated[int, Info(help="Messages in the channel file before.")]
    after_count: Annotated[int, Info(help="Messages in it afterwards.")]
    message_count: Annotated[int, Info(help="The same, by the name that other steps give it.")]
    appended: Annotated[int, Info(help="Messages that came in, filled holes included.")]
    holes_filled: Annotated[int, Info(help="Those among them that are older than the file's last; it is written anew.")]
    edited: Annotated[int, Info(help="Stored messages of which the exports have a newer copy.")]
    placed: Annotated[int, Info(help="Messages that were stored already.")]
    behind: Annotated[int, Info(help="Messages that are missing and stay so.")]
    last_id: Annotated[str | None, Info(help="The greatest id afterwards; null in a file without messages.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Count what would come in."""
    archive = _archive(params, view)
    outcome = plan_append(archive, params.deltas, _options(params, view), layout=layout_of(archive))
    added = outcome.appended + outcome.holes_filled
    news = f"append {counted(added, 'message')}"
    changes = () if outcome.unchanged else (Change(what=f"{news} to {archive.name}", path=archive),)
    summary = f"would {news}" if changes else "nothing new"
    return StepPlan(summary=summary, changes=changes, outputs=asdict(_outputs(archive, outcome)))


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Append."""
    archive = _archive(params, ctx)
    outcome = append(archive, params.deltas, _options(params, ctx), layout=layout_of(archive), clock=ctx.clock)
    outputs = _outputs(archive, outcome)
    if not outcome.every_id_placed:
        raise StepFailed(
            f"{archive} is behind: {counted(outcome.behind, 'older message is', 'older messages are')} missing in it",
            hint="holes: merge fills them",
            outputs=outputs,
        )
    return StepResult(
        changed=not outcome.unchanged,
        summary=f"+{counted(outputs.appended, 'message')} in {archive.name}",
        outputs=outputs,
    )


def _options(params: Params, view: View) -> AppendOptions:
    return AppendOptions(run_id=view.run_id, edits=EditPolicy(params.edits), holes=GapPolicy(params.holes))


def _outputs(archive: Path, outcome: AppendOutcome) -> Outputs:
    return Outputs(
        path=str(archive),
        before_count=outcome.before_count,
        after_count=outcome.after_count,
        message_count=outcome.after_count,
        appended=outcome.appended + outcome.holes_filled,
        holes_filled=outcome.holes_filled,
        edited=outcome.edited,
        placed=outcome.placed,
        behind=outcome.behind,
        last_id=outcome.last_id,
    )


def _archive(params: Params, view: View) -> Path:
    if not is_below(params.archive, view.archive_root):
        raise UsageError(
            f"{params.archive} is not below the archive root", hint="the lock of this run does not guard it"
        )
    return params.archive
