"""Rewriting a channel file: holes filled, edits taken, repeated ids left out. The new file takes the old one's name.

Every stored message is copied as the bytes it is, except those whose newer copy is asked for. Before the old file
goes, the new one is read back: ids strictly increasing, none of the old ones missing.
"""

import errno
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.append.delta import Copy, Delta, by_id, pieces_of
from dce_play.discord.archive.append.payload import Payload
from dce_play.discord.archive.records.edits import Edit, same_message
from dce_play.discord.archive.records.journal import payload_digest
from dce_play.discord.archive.records.publish import check_space, replacing
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.head import Head
from dce_play.discord.archive.scan.spans import is_ordered, read_head, read_ids, read_spans
from dce_play.discord.archive.scan.tail import Tail, read_tail
from dce_play.errors import DcePlayError
from dce_play.snowflake import MessageId
from dce_play.system.counted import counted
from dce_play.system.durable.disk import Disk


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
    """Return the union of a channel file and deltas in order of ids. The stored copy wins, except for ``taken`` ids.

    Raises: DamagedFile.
    """
    stored = Delta(channel=channel, head=head, spans=read_spans(channel, head.start, tail.cut))
    return union((stored, *deltas), taken=taken, opening=channel.read_at(head.start, 0), closing=tail.closing)


def union(
    sources: Sequence[Delta], *, taken: Collection[int], opening: bytes, closing: Callable[[int], bytes]
) -> Rewrite:
    """Return the file that holds each message of the sources once, in order of ids; the first source is the old file.

    ``opening`` ends with the ``[`` of the message array; ``closing`` makes the trailer for a message count.
    """
    separator = b"," + (sources[0].head.newline or b"\n") + b"    "
    choice = _Choice(sources, taken)
    pieces = pieces_of(choice.copies(), sources, separator=separator)
    return Rewrite(
        payload=Payload(
            deltas=sources,
            pieces=pieces,
            opening=opening + separator[1:] if pieces else opening,
            separator=separator,
            closing=closing(choice.count),
        ),
        message_count=choice.count,
        superseded=tuple(choice.superseded),
        stored_ids=sources[0].spans.ids,
    )


class _Choice:
    """Which copy of each message goes into the new file, and what is to be said of all of them."""

    def __init__(self, sources: Sequence[Delta], taken: Collection[int]) -> None:
        self._sources = sources
        self._taken = taken
        self.count = 0
        self.superseded: list[Edit] = []

    def copies(self) -> Iterator[Copy]:
        """Yield the chosen copies in order of their ids."""
        for copies in by_id(self._sources):
            is_stored = copies[0].delta == 0 and copies[0].id not in self._taken
            winner = copies[0] if is_stored else copies[-1]
            if len(copies) > 1:
                self._note_superseded(copies, winner)
            self.count += 1
            yield winner

    def _note_superseded(self, copies: Sequence[Copy], winner: Copy) -> None:
        stored = self._sources[0]
        kept = self._sources[winner.delta].message(winner.place)
        for copy in copies:
            if copy.delta == 0 and copy is not winner:
                message = stored.message(copy.place)
                if not same_message(kept, message):
                    identifier = MessageId(str(copy.id))
                    edit = Edit(message_id=identifier, message=message, exported_at=stored.head.exported_at)
                    self.superseded.append(edit)


def write_rewrite(
    archive: Path, rewrite: Rewrite, *, disk: Disk, prove: Callable[[ChannelBytes], None] = lambda _: None
) -> None:
    """Write the new file, prove it and put it in the old one's place. ``prove`` may refuse it by raising.

    Raises: NotEnoughSpace, WouldLose; OSError. The old file stands.
    """
    size_bytes, digest = rewrite.payload.measure()
    check_space(archive.parent, size_bytes, disk=disk)
    with replacing(archive, like=disk.facts_of(archive), disk=disk) as (path, descriptor):
        offset = 0
        for block in rewrite.payload.gathered():
            disk.write_at(descriptor, block, offset)
            offset += len(block)
        with open_bytes(path, disk=disk) as written:
            if payload_digest(written, 0, written.size_bytes) != digest:
                raise OSError(errno.EIO, "what was written is not what can be read back")
            _check_ids(archive, written, rewrite)
            prove(written)


def _check_ids(archive: Path, written: ChannelBytes, rewrite: Rewrite) -> None:
    ids = read_ids(written, read_head(written).start, read_tail(written).cut)
    if not is_ordered(ids) or len(ids) != rewrite.message_count:
        raise WouldLose(archive, f"{counted(len(ids), 'message')} in order, {rewrite.message_count} expected")
    position = 0
    for identifier in sorted(rewrite.stored_ids):
        while position < len(ids) and ids[position] < identifier:
            position += 1
        if position == len(ids) or ids[position] != identifier:
            raise WouldLose(archive, f"message {identifier} is missing")
