"""Delta messages at or below a channel file's last id: stored already, edited since, or missing (a hole)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dce_play.archive.channel_bytes import ChannelBytes
from dce_play.archive.delta import Copy, Delta, Selection
from dce_play.archive.edits import StoredTimes, same_message
from dce_play.archive.spans import Head, iterate_messages
from dce_play.archive.tail import Tail


class HolePolicy(StrEnum):
    """What becomes of a message that is older than the file's last one and missing in it."""

    MERGE = "merge"
    """The file is rewritten with the message in its place."""
    REPORT = "report"
    """The channel is reported as behind, and the delta stays staged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fates:
    """What the delta messages at or below the last id turned out to be."""

    placed: int
    """Stored already: the same, or newer than the delta's."""
    edited: tuple[Copy, ...]
    """Stored, and the delta has a newer copy."""
    missing: tuple[Copy, ...]


def fates_of(
    channel: ChannelBytes, head: Head, tail: Tail, *, deltas: Sequence[Delta], selection: Selection, times: StoredTimes
) -> Fates:
    """Look up the known messages of a selection in the channel file. Reads it once when there are any."""
    if not selection.known:
        return Fates(placed=0, edited=(), missing=())
    stored = stored_spans(channel, head, tail, {copy.id for copy in selection.known})
    edited, missing = [], []
    for copy in selection.known:
        if copy.id not in stored:
            missing.append(copy)
            continue
        start, end = stored[copy.id]
        delta = deltas[copy.delta]
        same = same_message(channel.read_at(end - start, start), delta.message(copy.place))
        if not same and times.is_newer(delta.head.exported_at, copy.id):
            edited.append(copy)
    placed = len(selection.known) - len(edited) - len(missing)
    return Fates(placed=placed, edited=tuple(edited), missing=tuple(missing))


def stored_spans(channel: ChannelBytes, head: Head, tail: Tail, wanted: Collection[int]) -> dict[int, tuple[int, int]]:
    """Return where the wanted messages stand; an id that stands twice counts where it stands first."""
    found: dict[int, tuple[int, int]] = {}
    for identifier, start, end in iterate_messages(channel, head.start, tail.cut):
        if identifier in wanted:
            found.setdefault(identifier, (start, end))
    return found
