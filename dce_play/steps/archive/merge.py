"""Make one channel file of several exports of one channel, each message once, in order of the ids.

The files are only read. The new file takes its name when it is whole and on disk.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from dce_play.discord.archive.append.delta import ForeignChannel
from dce_play.discord.archive.folder.places import layout_of
from dce_play.discord.archive.merge.merge import Conflict, Prefer, merge
from dce_play.discord.archive.records.recover import settled
from dce_play.discord.archive.salvage.repair import find_boundary
from dce_play.discord.archive.scan.head import read_head
from dce_play.errors import UsageError
from dce_play.plugin import Change, Context, Effects, Info, StepPlan, StepResult, View
from dce_play.snowflake import ChannelId
from dce_play.system.counted import counted
from dce_play.system.durable.named_outputs import replaceable
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
    overwrite: Annotated[bool, Info(help="Replace `into` although it is none of the files.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The new file."""

    path: Annotated[str, Info(help="Where it is.")]
    channel_id: Annotated[str, Info(help="Whose messages are in it.")]
    message_count: Annotated[int, Info(help="Messages in it.")]
    duplicates: Annotated[int, Info(help="Copies that were left out.")]
    conflicts: Annotated[int, Info(help="Those among them that differ from the copy kept.")]
    first_id: Annotated[str | None, Info(help="The smallest id; null where there is no message.")]
    last_id: Annotated[str | None, Info(help="The greatest id; null where there is no message.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Read what is to be merged, as far as it is there yet, and fail where the merge would."""
    into = _into(params, view)
    channel_id: ChannelId | None = None
    for path in params.files:
        if not path.exists():
            continue
        boundary = find_boundary(path)
        if boundary.damage is not None:
            raise boundary.damage
        channel_id = channel_id or boundary.head.channel_id
        if boundary.head.channel_id != channel_id:
            raise ForeignChannel(path, found=boundary.head.channel_id, expected=channel_id)
    change = Change(what=f"merge {counted(len(params.files), 'file')} into {into.name}", path=into)
    return StepPlan(
        summary=f"would merge {counted(len(params.files), 'file')} into {into}",
        changes=(change,),
        outputs={"path": str(into), "channel_id": channel_id},
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Merge."""
    into = _into(params, ctx)
    before = _digest(into)

    def differs(conflict: Conflict) -> None:
        ctx.reporter.item(conflict.message_id, "differs", f"its copy in {conflict.dropped_from} is not kept")

    channel_id = read_head(params.files[0]).channel_id
    with settled(into, channel_id, layout=layout_of(into), clock=ctx.clock):
        outcome = merge(params.files, into, prefer=Prefer(params.prefer), on_conflict=differs)
    return StepResult(
        changed=_digest(into) != before,
        summary=f"{counted(outcome.message_count, 'message')} in {into.name}, "
        f"{counted(outcome.duplicates, 'copy', 'copies')} left out",
        outputs=Outputs(
            path=str(outcome.path),
            channel_id=outcome.channel_id,
            message_count=outcome.message_count,
            duplicates=outcome.duplicates,
            conflicts=outcome.conflicts,
            first_id=outcome.first_id,
            last_id=outcome.last_id,
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
    into = replaceable(params.into, what="the merged file")
    named = any(path.exists() and into.exists() and into.samefile(path) for path in params.files)
    if into.exists() and not (named or params.overwrite):
        raise UsageError(
            f"{into} exists, and what is in it would be lost",
            hint="name it among the files, too, or allow its end with overwrite: true (--overwrite)",
        )
    return into
