"""The payload of an append: what comes between the cut and the new end of the file, never all in memory."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dce_play.discord.archive.append.delta import Delta, Piece
from dce_play.discord.archive.scan.tail import Tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The new messages with what goes before, between and after them. The messages are the deltas' own bytes."""

    deltas: Sequence[Delta]
    pieces: Sequence[Piece]
    opening: bytes
    separator: bytes
    closing: bytes

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes in blocks of at most 1 MiB."""
        yield self.opening
        for number, piece in enumerate(self.pieces):
            if number:
                yield self.separator
            yield from self.deltas[piece.delta].channel.blocks(piece.start, piece.end)
        yield self.closing

    def gathered(self, block_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Yield the same bytes with small blocks put together, so that they cost one write."""
        waiting: list[bytes] = []
        size = 0
        for block in self.blocks():
            waiting.append(block)
            size += len(block)
            if size >= block_bytes:
                yield b"".join(waiting)
                waiting, size = [], 0
        yield b"".join(waiting)

    def measure(self) -> tuple[int, str]:
        """Return the size and the sha256."""
        digest = hashlib.sha256()
        size = 0
        for block in self.gathered():
            digest.update(block)
            size += len(block)
        return size, digest.hexdigest()


def build_payload(deltas: Sequence[Delta], pieces: Sequence[Piece], tail: Tail, *, message_count: int) -> Payload:
    """Return what an append writes at the tail's cut; ``message_count`` is the count afterwards."""
    return Payload(
        deltas=deltas,
        pieces=pieces,
        opening=tail.opening(),
        separator=tail.separator,
        closing=tail.closing(message_count),
    )
