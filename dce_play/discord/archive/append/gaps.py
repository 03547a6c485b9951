"""Delta messages at or below a channel file's last id: stored already, edited since, or missing (a hole)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dce_play.discord.archive.append.delta import Copy, Delta, Selection
from dce_play.discord.archive.records.edits import StoredTimes, same_message
from dce_play.discord.archive.records.lookup import find_messages
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.head import Head
from dce_play.discord.archive.scan.tail import Tail


class GapPolicy(StrEnum):
    """What becomes of a message that is older than the file's last one and missing in it."""

    MERGE = "merge"
    """The file is rewritten with the message in its place."""
    REPORT = "report"
    """The channel is reported as behind, and the delta stays staged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What the delta messages at or below the last id turned out to be."""

    placed: int
    """Stored already: the same, or newer than the delta's."""
    edited: tuple[Copy, ...]
    """Stored, and the delta has a newer copy."""
    missing: tuple[Copy, ...]


def classify(
    channel: ChannelBytes,
    head: Head,
    tail: Tail,
    *,
    ordered: bool,
    deltas: Sequence[Delta],
    selection: Selection,
    times: StoredTimes,
) -> Classification:
    """Look up the known messages of a selection in the channel file. Reads nothing when there are none."""
    if not selection.known:
        return Classification(placed=0, edited=(), missing=())
    wanted = {copy.id for copy in selection.known}
    stored = find_messages(channel, head.start, tail.cut, wanted=wanted, ordered=ordered)
    edited, missing = [], []
    for copy in selection.known:
        if copy.id not in stored:
            missing.append(copy)
            continue
        start, end = stored[copy.id]
        delta = deltas[copy.delta]
        same = same_message(channel.read_at(end - start, start), delta.message(copy.place))
        if not same and not times.is_older(delta.head.exported_at, copy.id):
            edited.append(copy)
    placed = len(selection.known) - len(edited) - len(missing)
    return Classification(placed=placed, edited=tuple(edited), missing=tuple(missing))
