"""What a channel file is at one moment, told so that it can be proved later that it only grew.

The bytes before the cut are hashed in blocks of 4 MiB: they tell at what place a file changed, and they can be carried
on when it grows. Beside them an index keeps the id and a checksum of each message, which names the messages that are
gone or different when a file was not appended to but written anew.
"""

import hashlib
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.spans import Spans, is_ordered, read_all_spans, read_head
from dce_play.discord.archive.scan.tail import NotCanonical, read_tail
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import FileFacts

BLOCK_BYTES = 4 << 20

OnBytes = Callable[[int], None]
"""Gets the number of bytes read since the last call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A channel file at one moment."""

    channel_id: ChannelId
    size_bytes: int
    message_count: int
    first_id: MessageId | None
    """The smallest id."""
    last_id: MessageId | None
    """The greatest id."""
    duplicates: int
    """How many messages have an id that an earlier one has."""
    ordered: bool
    """Whether the ids strictly increase through the file."""
    cut: int
    """Offset just past the last message; the file's size where nothing can be appended."""
    blocks: tuple[str, ...]
    """sha256 of each 4 MiB of the bytes before the cut; the last block may be shorter."""
    tail_sha256: str
    """Of the bytes from the cut to the end."""
    ids_sha256: str
    """Of the ids in order of their values, each as eight bytes, little-endian."""
    device: int
    inode: int
    mtime_ns: int
    ctime_ns: int

    def is_of(self, facts: FileFacts) -> bool:
        """Return whether nothing about the file has changed since, as far as the kernel tells."""
        mine = (self.device, self.inode, self.size_bytes, self.mtime_ns, self.ctime_ns)
        return mine == (facts.device, facts.inode, facts.size_bytes, facts.mtime_ns, facts.ctime_ns)


@dataclass(frozen=True, slots=True)
class MessageIndex:
    """The id of each message, and a checksum of its bytes. Ordered by id."""

    ids: "array[int]" = field(default_factory=lambda: array("Q"))
    checksums: "array[int]" = field(default_factory=lambda: array("I"))

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield id and checksum of each message."""
        return zip(self.ids, self.checksums, strict=True)


def take_fingerprint(
    channel: ChannelBytes, facts: FileFacts, *, on_bytes: OnBytes = lambda _: None
) -> tuple[Fingerprint, MessageIndex]:
    """Return what a channel file is now. Reads all of it.

    Raises: DamagedFile.
    """
    spans = read_all_spans(channel)
    cut = cut_of(channel)
    blocks, checksums = _digest(channel, spans, start=0, end=cut, on_bytes=on_bytes)
    index = _by_id(MessageIndex(spans.ids, checksums))
    channel_id = read_head(channel).channel_id
    return _fingerprint(channel, facts, channel_id, cut=cut, blocks=blocks, index=index, ordered=spans.ordered()), index


def extend_fingerprint(
    old: Fingerprint, index: MessageIndex, *, channel: ChannelBytes, facts: FileFacts, spans: Spans, cut: int
) -> tuple[Fingerprint, MessageIndex]:
    """Return what a file is that was proved to have its old bytes before the old cut, and these new messages after.

    Reads from the old cut's block on.
    """
    whole_blocks = old.cut // BLOCK_BYTES
    blocks, checksums = _digest(channel, spans, start=whole_blocks * BLOCK_BYTES, end=cut, on_bytes=lambda _: None)
    grown = MessageIndex(index.ids + spans.ids, index.checksums + checksums)
    kept = old.blocks[:whole_blocks]
    return _fingerprint(
        channel, facts, old.channel_id, cut=cut, blocks=(*kept, *blocks), index=grown, ordered=old.ordered
    ), grown


def first_changed_block(channel: ChannelBytes, old: Fingerprint, *, on_bytes: OnBytes = lambda _: None) -> int | None:
    """Return the offset of the first old block whose bytes are others now, or ``None`` when all are as they were."""
    for number, digest in enumerate(old.blocks):
        start = number * BLOCK_BYTES
        block = channel.read_at(min(BLOCK_BYTES, old.cut - start), start)
        on_bytes(len(block))
        if hashlib.sha256(block).hexdigest() != digest:
            return start
    return None


def ids_digest(ids: "array[int]") -> str:
    """Return the sha256 of ids that are in order of their values."""
    return hashlib.sha256(ids.tobytes()).hexdigest()


def tail_digest(channel: ChannelBytes, cut: int) -> str:
    """Return the sha256 of the bytes from the cut to the end."""
    return hashlib.sha256(channel.read_at(channel.size_bytes - cut, cut)).hexdigest()


def cut_of(channel: ChannelBytes) -> int:
    """Return the offset just past the last message, or the size of a file that nothing can be appended to."""
    try:
        return read_tail(channel).cut
    except NotCanonical:
        return channel.size_bytes


def _fingerprint(
    channel: ChannelBytes,
    facts: FileFacts,
    channel_id: ChannelId,
    *,
    cut: int,
    blocks: tuple[str, ...],
    index: MessageIndex,
    ordered: bool,
) -> Fingerprint:
    ids = index.ids
    distinct = len(ids) if ordered else len(set(ids))
    return Fingerprint(
        channel_id=channel_id,
        size_bytes=channel.size_bytes,
        message_count=len(ids),
        first_id=MessageId(str(ids[0])) if ids else None,
        last_id=MessageId(str(ids[-1])) if ids else None,
        duplicates=len(ids) - distinct,
        ordered=ordered,
        cut=cut,
        blocks=blocks,
        tail_sha256=tail_digest(channel, cut),
        ids_sha256=ids_digest(ids),
        device=facts.device,
        inode=facts.inode,
        mtime_ns=facts.mtime_ns,
        ctime_ns=facts.ctime_ns,
    )


def _digest(
    channel: ChannelBytes, spans: Spans, *, start: int, end: int, on_bytes: OnBytes
) -> tuple[tuple[str, ...], "array[int]"]:
    """Return the hashes of the blocks between two offsets, and the checksums of the messages in them."""
    blocks: list[str] = []
    checksums: array[int] = array("I")
    starts, ends = spans.starts, spans.ends
    at = begun = 0
    for base in range(start, end, BLOCK_BYTES):
        block = memoryview(channel.read_at(min(BLOCK_BYTES, end - base), base))
        on_bytes(len(block))
        blocks.append(hashlib.sha256(block).hexdigest())
        whole = bisect_right(ends, base + len(block), at)
        if at < whole and starts[at] < base:
            checksums.append(zlib.crc32(block[: ends[at] - base], begun))
            at += 1
        places = zip(starts[at:whole], ends[at:whole], strict=True)
        checksums.extend([zlib.crc32(block[first - base : last - base]) for first, last in places])
        at = whole
        if at < len(spans) and starts[at] < base + len(block):
            begun = zlib.crc32(block[max(starts[at] - base, 0) :], begun if starts[at] < base else 0)
    return tuple(blocks), checksums


def _by_id(index: MessageIndex) -> MessageIndex:
    if is_ordered(index.ids):
        return index
    order = sorted(range(len(index.ids)), key=index.ids.__getitem__)
    return MessageIndex(array("Q", (index.ids[at] for at in order)), array("I", (index.checksums[at] for at in order)))
