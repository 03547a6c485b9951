"""Rewriting a channel file: holes filled, edits taken, repeated ids left out. The new file takes the old one's name.

Every stored message is copied as the bytes it is, except those whose newer copy is asked for. Before the old file
goes, the new one is read back: ids strictly increasing, none of the old ones missing.
"""

import hashlib
from array import array
from collections.abc import Callable, Collection, Sequence
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
    contents: str
    """sha256 over the chosen messages, in order of their ids."""


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
    newline = sources[0].head.newline or b"\n"
    separator = b"," + newline + b"    "
    chosen: list[Copy] = []
    superseded: list[Edit] = []
    for copies in by_id(sources):
        winner = copies[0] if copies[0].delta == 0 and copies[0].id not in taken else copies[-1]
        chosen.append(winner)
        if len(copies) > 1:
            superseded += _superseded(sources, copies, winner)
    digest = hashlib.sha256()
    for copy in chosen:
        digest.update(sources[copy.delta].message(copy.place))
    return Rewrite(
        contents=digest.hexdigest(),
        payload=Payload(
            deltas=sources,
            pieces=pieces_of(chosen, sources, separator=separator),
            opening=opening + separator[1:] if chosen else opening,
            separator=separator,
            closing=closing(len(chosen)),
        ),
        message_count=len(chosen),
        superseded=tuple(superseded),
        stored_ids=sources[0].spans.ids,
    )


def write_rewrite(archive: Path, rewrite: Rewrite, *, disk: Disk) -> None:
    """Write the new file, prove it and put it in the old one's place.

    Raises: NotEnoughSpace, WouldLose; OSError. The old file stands.
    """
    size_bytes, _ = rewrite.payload.measure()
    check_space(archive.parent, size_bytes, disk=disk)
    with replacing(archive, like=disk.facts_of(archive), disk=disk) as (path, descriptor):
        offset = 0
        for block in rewrite.payload.gathered():
            disk.write_at(descriptor, block, offset)
            offset += len(block)
        with open_bytes(path, disk=disk) as written:
            _prove(archive, written, rewrite)


def _superseded(sources: Sequence[Delta], copies: Sequence[Copy], winner: Copy) -> list[Edit]:
    kept = sources[winner.delta].message(winner.place)
    edits = []
    for copy in copies:
        message = sources[copy.delta].message(copy.place)
        if copy.delta == 0 and copy is not winner and not same_message(kept, message):
            exported_at = sources[0].head.exported_at
            edits.append(Edit(message_id=MessageId(str(copy.id)), message=message, exported_at=exported_at))
    return edits


def _prove(archive: Path, written: ChannelBytes, rewrite: Rewrite) -> None:
    spans = read_spans(written, read_head(written).start, read_tail(written).cut)
    ids = spans.ids
    if not spans.ordered() or len(ids) != rewrite.message_count:
        raise WouldLose(archive, f"{len(ids)} messages in order, {rewrite.message_count} expected")
    position = 0
    for identifier in sorted(rewrite.stored_ids):
        while position < len(ids) and ids[position] < identifier:
            position += 1
        if position == len(ids) or ids[position] != identifier:
            raise WouldLose(archive, f"message {identifier} is missing")
    digest = hashlib.sha256()
    for start, end in zip(spans.starts, spans.ends, strict=True):
        digest.update(written.read_at(end - start, start))
    if digest.hexdigest() != rewrite.contents:
        raise WouldLose(archive, "the contents of its messages are not what they were")
