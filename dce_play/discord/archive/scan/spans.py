"""Where the messages of a channel file stand: ids and byte ranges, in file order. Every byte read is checked."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.engine import fastest_engine
from dce_play.discord.archive.scan.frame import read_preamble
from dce_play.discord.archive.scan.head import Head, head_after, head_of
from dce_play.discord.archive.scan.scanner import Block, Scanner, Stretch


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """The messages of a file, in file order: ids as numbers, and where each starts and ends."""

    ids: "array[int]" = field(default_factory=lambda: array("Q"))
    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    ends: "array[int]" = field(default_factory=lambda: array("Q"))

    def __len__(self) -> int:
        return len(self.ids)

    def ordered(self) -> bool:
        """Return whether the ids strictly increase."""
        return is_ordered(self.ids)


def is_ordered(ids: "array[int]") -> bool:
    """Return whether the ids strictly increase."""
    return all(ids[index - 1] < ids[index] for index in range(1, len(ids)))


def read_head(channel: ChannelBytes) -> Head:
    """Return what the file says of itself.

    Raises: DamagedFile.
    """
    return head_of(channel)


def read_ids(channel: ChannelBytes, start: int, end: int) -> "array[int]":
    """Return the ids between two offsets: just past the ``[`` and the cut.

    Raises: DamagedFile.
    """
    ids = array("Q")
    for block in message_blocks(channel, start, end):
        ids.extend(block.numbers)
    return ids


def read_spans(channel: ChannelBytes, start: int, end: int) -> Spans:
    """Return the messages between two offsets: just past the ``[`` and the cut.

    Raises: DamagedFile.
    """
    return spans_of(message_blocks(channel, start, end))


def read_all_spans(channel: ChannelBytes) -> Spans:
    """Return all messages of a file of any layout.

    Raises: DamagedFile.
    """
    return spans_of(Scanner(channel).blocks())


def read_whole_file(channel: ChannelBytes) -> tuple[Head, Spans]:
    """Return what a file of any layout says of itself, and all its messages. Its header is read once.

    Raises: DamagedFile.
    """
    preamble = read_preamble(channel)
    return head_after(channel, preamble), spans_of(Scanner(channel, preamble).blocks())


def message_blocks(channel: ChannelBytes, start: int, end: int) -> Iterator[Block]:
    """Yield the messages between two offsets in stretches; the first is just past the ``[`` or past a comma.

    Raises: DamagedFile.
    """
    engine = fastest_engine()()
    return Stretch(channel, start, stop=end, engine=engine, chunk_bytes=engine.chunk_bytes).blocks()


def spans_of(blocks: Iterator[Block]) -> Spans:
    """Return where the messages of all the stretches stand."""
    spans = Spans()
    for block in blocks:
        places = block.places()
        spans.ids.extend(block.numbers)
        spans.starts.extend(block.start + first for first, _ in places)
        spans.ends.extend(block.start + last for _, last in places)
    return spans
