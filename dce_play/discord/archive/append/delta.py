"""Deltas: exports to be put into a channel file, and which of their messages are new to it."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.head import Head
from dce_play.discord.archive.scan.spans import Spans, read_whole_file
from dce_play.errors import DcePlayError
from dce_play.snowflake import ChannelId, GuildId, MessageId
from dce_play.system.durable.disk import Disk


class ForeignChannel(DcePlayError):
    """A file holds another channel than the one it is meant for."""

    def __init__(self, path: Path, *, found: str, expected: str, what: str = "channel") -> None:
        super().__init__(
            f"{path} is of {what} {found}, not of {expected}", hint="nothing was changed; see where the file comes from"
        )
        self.path = path
        self.found = found
        self.expected = expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """One export, open, with the places of its messages."""

    channel: ChannelBytes
    head: Head
    spans: Spans

    def message(self, index: int) -> bytes:
        """Return one message's bytes."""
        start, end = self.spans.starts[index], self.spans.ends[index]
        return self.channel.read_at(end - start, start)


class Copy(NamedTuple):
    """One copy of a message in one of several deltas. A tuple, as millions of them are sorted."""

    id: int
    delta: int
    """Number of the delta."""
    place: int
    """Which of the delta's messages it is, from 0."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a delta's bytes: one message, or several with their own separators between them."""

    delta: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The messages that are new to a channel file; at least one."""

    pieces: tuple[Piece, ...]
    """In order of their ids."""
    count: int
    first_id: MessageId
    last_id: MessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What of the deltas is new to a channel file, and what is not."""

    new: Selected | None
    known: tuple[Copy, ...]
    """Messages with an id at or below the file's last, in order of their ids."""


@contextmanager
def open_deltas(sources: Sequence[Path | ChannelBytes], *, disk: Disk) -> Iterator[tuple[Delta, ...]]:
    """Open exports for reading; what is open already, such as the whole messages of a truncated one, is taken as it is.

    Raises: DamagedFile, FileNotFoundError.
    """
    with ExitStack() as stack:
        yield tuple(
            _open_delta(
                source if isinstance(source, ChannelBytes) else stack.enter_context(open_bytes(source, disk=disk))
            )
            for source in sources
        )


def check_identity(deltas: Sequence[Delta], *, channel_id: ChannelId, guild_id: GuildId | None) -> None:
    """Refuse deltas of another channel or guild.

    Raises: ForeignChannel.
    """
    for delta in deltas:
        path, head = delta.channel.path, delta.head
        if head.channel_id != channel_id:
            raise ForeignChannel(path, found=head.channel_id, expected=channel_id)
        if guild_id is not None and head.guild_id is not None and head.guild_id != guild_id:
            raise ForeignChannel(path, found=head.guild_id, expected=guild_id, what="guild")


def select(deltas: Sequence[Delta], *, after: MessageId | None, separator: bytes) -> Selection:
    """Return which messages have a greater id than ``after``, each id once: the later delta's copy of it."""
    newest_known = -1 if after is None else int(after)
    new: list[Copy] = []
    known: list[Copy] = []
    for copies in by_id(deltas):
        (known if copies[-1].id <= newest_known else new).append(copies[-1])
    if not new:
        return Selection(new=None, known=tuple(known))
    selected = Selected(
        pieces=pieces_of(new, deltas, separator=separator),
        count=len(new),
        first_id=MessageId(str(new[0].id)),
        last_id=MessageId(str(new[-1].id)),
    )
    return Selection(new=selected, known=tuple(known))


def by_id(deltas: Sequence[Delta]) -> Iterator[list[Copy]]:
    """Yield all copies of each id, ids ascending, copies in the order of the deltas and of their places in them."""
    merged = heapq.merge(*map(_in_order, range(len(deltas)), deltas))
    return (list(copies) for _, copies in groupby(merged, key=lambda copy: copy.id))


def pieces_of(chosen: Iterable[Copy], deltas: Sequence[Delta], *, separator: bytes) -> tuple[Piece, ...]:
    """Return the stretches of bytes that hold the chosen copies.

    Neighbours that the separator parts in the delta as it will in the channel file become one piece.
    """
    pieces: list[Piece] = []
    previous = (-1, -1)
    for copy in chosen:
        spans = deltas[copy.delta].spans
        start, end = spans.starts[copy.place], spans.ends[copy.place]
        if previous == (copy.delta, copy.place - 1) and start - pieces[-1].end == len(separator):
            start = pieces.pop().start
        pieces.append(Piece(copy.delta, start, end))
        previous = (copy.delta, copy.place)
    return tuple(pieces)


def _open_delta(channel: ChannelBytes) -> Delta:
    head, spans = read_whole_file(channel)
    return Delta(channel=channel, head=head, spans=spans)


def _in_order(number: int, delta: Delta) -> Iterator[Copy]:
    ids = delta.spans.ids
    indexes = range(len(ids)) if delta.spans.ordered() else sorted(range(len(ids)), key=ids.__getitem__)
    for index in indexes:
        yield Copy(ids[index], number, index)
