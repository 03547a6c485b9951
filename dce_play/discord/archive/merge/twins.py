"""Twins: several files of one channel made one. The files as they were are kept until somebody confirms."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.folder.channel_map import ChannelMap, check_channel
from dce_play.discord.archive.merge.merge import Conflict, MergeOutcome, Prefer, merge
from dce_play.discord.archive.records.edits import Edit, add_edits
from dce_play.discord.archive.records.recover import settled
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.clock import Clock, file_stamp, utc_stamp
from dce_play.system.durable.disk import REAL
from dce_play.system.durable.whole_files import sync_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinMerge:
    """What became of a channel's files."""

    into: Path
    outcome: MergeOutcome
    originals: tuple[Path, ...]
    """The files as they were, kept beside our records; ``archive normalise --confirm`` removes them."""


def merge_twins(
    layout: TargetLayout,
    channel_id: ChannelId,
    *,
    run_id: str,
    clock: Clock,
    prefer: Prefer = Prefer.NEWEST,
) -> TwinMerge | None:
    """Make one file of all files of a channel, or return ``None`` when there are no twins.

    The file that the map names stays in its place, else the largest. Killed at any moment, it is simply run again:
    each file has a second name before the first one is replaced, and the others go only after that is durable.

    Raises: WrongChannel, DamagedFile, ForeignChannel, NotEnoughSpace, WriteFailed, DamagedChannelMap.
    """
    channel_map = ChannelMap(layout, known=[channel_id])
    files = channel_map.files_of(channel_id)
    if len(files) < 2:
        return None
    for path in files:
        check_channel(path, channel_id)
    now = clock.now()
    into, *others = files
    conflicts: list[Conflict] = []
    with settled(into, channel_id, layout=layout, clock=clock):
        originals = _keep_originals(layout, channel_id, files, file_stamp(now))
        outcome = merge(files, into, prefer=prefer, on_conflict=conflicts.append)
    edits = [Edit(message_id=each.message_id, message=each.dropped, exported_at=None) for each in conflicts]
    add_edits(layout, channel_id, edits, run_id=run_id, time=utc_stamp(now), disk=REAL)
    for path in others:
        path.unlink()
        sync_folder(path.parent)
    channel_map.remember(channel_id, into)
    return TwinMerge(into=into, outcome=outcome, originals=originals)


def _keep_originals(layout: TargetLayout, channel_id: ChannelId, files: Sequence[Path], stamp: str) -> tuple[Path, ...]:
    """Give each file a second name that no search for channel files finds."""
    folder = layout.meta / "originals"
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(3)  # a merge that was killed a moment ago has left names of the same second
    originals = []
    for number, path in enumerate(files, start=1):
        original = folder / f"{channel_id}.{stamp}.{token}.{number}.original"
        original.hardlink_to(path)
        originals.append(original)
    sync_folder(folder)
    sync_folder(layout.meta)
    return tuple(originals)
