"""Make one channel file of several exports of one channel, each message once, in order of the ids.

The files are only read. The new file takes its name when it is whole and on disk.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from dce_play.discord.archive.folder.places import layout_of
from dce_play.discord.archive.merge.merge import Prefer, merge
from dce_play.discord.archive.records.recover import settled
from dce_play.discord.archive.scan.head import read_head
from dce_play.errors import UsageError
from dce_play.plugin import Change, Context, Effects, Info, StepPlan, StepResult, View
from dce_play.system.durable.whole_files import is_below

NAME = "archive.merge"
EFFECTS = Effects.ARCHIVE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What goes where."""

    files: Annotated[tuple[Path, ...], Info(help="Exports of one channel.")]
    into: Annotated[Path, Info(help="The file to write, below the archive root; may be one of the files.")]
    prefer: Annotated[
        Literal["keep_first", "newest"],
        Info(help="Which copy of a message is kept where files differ: the first file's, or the one edited last."),
    ] = "keep_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The new file."""

    path: Annotated[str, Info(help="Where it is.")]
    message_count: Annotated[int, Info(help="Messages in it.")]
    duplicates: Annotated[int, Info(help="Copies that were left out.")]
    conflicts: Annotated[int, Info(help="Those among them that differ from the copy kept.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Tell what would be merged."""
    into = _into(params, view)
    change = Change(what=f"merge {len(params.files)} files into {into.name}", path=into)
    return StepPlan(summary=f"would merge {len(params.files)} files into {into}", changes=(change,))


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Merge."""
    into = _into(params, ctx)
    before = _digest(into)
    channel_id = read_head(params.files[0]).channel_id
    with settled(into, channel_id, layout=layout_of(into), clock=ctx.clock):
        outcome = merge(
            params.files,
            into,
            prefer=Prefer(params.prefer),
            on_conflict=lambda conflict: ctx.reporter.item(conflict.message_id, "differs", str(conflict.dropped_from)),
        )
    return StepResult(
        changed=_digest(into) != before,
        summary=f"{outcome.message_count} messages in {into.name}, {outcome.duplicates} copies left out",
        outputs=Outputs(
            path=str(into),
            message_count=outcome.message_count,
            duplicates=outcome.duplicates,
            conflicts=outcome.conflicts,
        ),
    )


def _digest(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _into(params: Params, view: View) -> Path:
    if not is_below(params.into, view.archive_root):
        raise UsageError(f"{params.into} is not below the archive root", hint="the lock of this run does not guard it")
    return params.into
