"""Rewriting a channel file: holes filled, edits taken, repeated ids left out. The new file takes the old one's name.

Every stored message is copied as the bytes it is, except those whose newer copy is asked for. Before the old file
goes, the new one is read back: ids strictly increasing, none of the old ones missing.
"""

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from dce_play.archive.channel_bytes import ChannelBytes, open_bytes
from dce_play.archive.delta import Copy, Delta, by_id, pieces_of
from dce_play.archive.disk import Disk
from dce_play.archive.edits import Edit, same_message
from dce_play.archive.head import Head
from dce_play.archive.payload import Payload
from dce_play.archive.publish import check_space, replacing
from dce_play.archive.spans import read_head, read_spans
from dce_play.archive.tail import Tail, read_tail
from dce_play.errors import DcePlayError
from dce_play.snowflake import MessageId


class WouldLose(DcePlayError):
    """A rewritten channel file lacks what the old one has. It was not put in its place."""

    def __init__(self, archive: Path, reason: str) -> None:
        super().__init__(
            f"rewriting {archive} would lose messages: {reason}",
            hint="the file was not changed; please report this with the output of `dce-play archive audit`",
        )
        self.archive = archive
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """A channel file as it is to be written anew."""

    payload: Payload
    """The whole file."""
    message_count: int
    superseded: tuple[Edit, ...]
    """Stored copies that the new file leaves out though they differ from the one it has."""
    stored_ids: "array[int]"
    """Ids of the old file, in its order."""


def plan_rewrite(
    channel: ChannelBytes, head: Head, tail: Tail, *, deltas: Sequence[Delta], taken: Collection[int]
) -> Rewrite:
    """Return the union of a channel file and deltas in order of ids. The stored copy wins, except for ``taken`` ids."""
    stored = Delta(channel=channel, head=head, spans=read_spans(channel, head.start, tail.cut))
    sources = (stored, *deltas)
    chosen: list[Copy] = []
    superseded: list[Edit] = []
    for copies in by_id(sources):
        winner = copies[-1] if copies[0].id in taken else copies[0] if copies[0].delta == 0 else copies[-1]
        chosen.append(winner)
        if len(copies) > 1:
            superseded += _superseded(sources, copies, winner)
    return Rewrite(
        payload=Payload(
            deltas=sources,
            pieces=pieces_of(chosen, sources, separator=tail.separator),
            opening=channel.read_at(head.start, 0) + tail.indent,
            separator=tail.separator,
            closing=tail.closing(len(chosen)),
        ),
        message_count=len(chosen),
        superseded=tuple(superseded),
        stored_ids=stored.spans.ids,
    )


def write_rewrite(archive: Path, rewrite: Rewrite, *, disk: Disk) -> None:
    """Write the new file, prove it and put it in the old one's place.

    Raises: NotEnoughSpace, WouldLose; OSError. The old file stands.
    """
    facts = disk.facts_of(archive)
    check_space(archive.parent, sum(map(len, rewrite.payload.gathered())), disk=disk)
    with replacing(archive, like=facts, disk=disk) as (path, descriptor):
        offset = 0
        for block in rewrite.payload.gathered():
            disk.write_at(descriptor, block, offset)
            offset += len(block)
        _prove(archive, path, rewrite, disk=disk)


def _superseded(sources: Sequence[Delta], copies: Sequence[Copy], winner: Copy) -> list[Edit]:
    kept = sources[winner.delta].message(winner.place)
    edits = []
    for copy in copies:
        message = sources[copy.delta].message(copy.place)
        if copy.delta == 0 and copy is not winner and not same_message(kept, message):
            exported_at = sources[0].head.exported_at
            edits.append(Edit(message_id=MessageId(str(copy.id)), message=message, exported_at=exported_at))
    return edits


def _prove(archive: Path, path: Path, rewrite: Rewrite, *, disk: Disk) -> None:

    with open_bytes(path, disk=disk) as written:
        spans = read_spans(written, read_head(written).start, read_tail(written).cut)
    if not spans.ordered() or len(spans) != rewrite.message_count:
        raise WouldLose(archive, f"{len(spans)} messages in order, {rewrite.message_count} expected")
    position = 0
    for identifier in sorted(rewrite.stored_ids):
        while position < len(spans) and spans.ids[position] < identifier:
            position += 1
        if position == len(spans) or spans.ids[position] != identifier:
            raise WouldLose(archive, f"message {identifier} is missing")
