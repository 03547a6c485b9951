"""Merge: one channel file from several exports of one channel, in order of the ids, each id once.

    outcome = merge([archive, increment], into=archive)

Stretches of messages that only one file has are copied as they stand; messages are looked at one by one only where
files overlap. Memory does not grow with the files. The new file takes its name when it is whole and on disk.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.discord.archive.append.delta import ForeignChannel
from dce_play.discord.archive.merge.feeds import NO_ID, Feed, NotOrdered, OrderedFeed, open_feed
from dce_play.discord.archive.merge.output import MergeOutput, Nowhere
from dce_play.discord.archive.records.edits import same_message
from dce_play.discord.archive.records.publish import check_space, replacing
from dce_play.discord.archive.records.write_errors import disk_errors
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.dates import edited_at, widest_dates
from dce_play.discord.archive.scan.envelope import Style, envelope_like, patched, style_of
from dce_play.discord.archive.scan.frame import Frame, Preamble, opening_at, read_preamble
from dce_play.discord.archive.scan.head import Head, head_of
from dce_play.errors import UsageError
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import REAL, Disk

_BUFFERS_BYTES = 8 << 20
_SMALLEST_CHUNK_BYTES = 32 << 10


class Prefer(StrEnum):
    """Which copy of a message is kept where several files have it, with other contents."""

    KEEP_FIRST = "keep_first"
    """The copy in the file named first."""
    NEWEST = "newest"
    """The copy edited last; of copies edited at the same time, or never, the one in the file named last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One id with other contents in several files."""

    message_id: MessageId
    kept: bytes
    dropped: bytes
    dropped_from: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOutcome:
    """A merged file."""

    path: Path
    channel_id: ChannelId
    message_count: int
    duplicates: int
    """Copies of messages that another file, or the same one, has too; left out."""
    conflicts: int
    """Those among them that mean something else than the copy that was kept."""
    first_id: MessageId | None
    last_id: MessageId | None
    size_bytes: int
    unordered: tuple[Path, ...]
    """Files whose ids did not strictly increase."""


def merge(
    files: Sequence[Path],
    into: Path,
    *,
    prefer: Prefer = Prefer.KEEP_FIRST,
    disk: Disk = REAL,
    chunk_bytes: int | None = None,
    on_conflict: Callable[[Conflict], None] = lambda _: None,
) -> MergeOutcome:
    """Merge exports of one channel into a file, which may be one of them.

    Header and unknown keys are the first file's; ``dateRange`` spans what any of the files spans, and ``messageCount``
    is stated if the first file states it. Of equal copies the first file's bytes are kept.
    Raises: DamagedFile, ForeignChannel, NotEnoughSpace, WriteFailed, FileNotFoundError.
    """
    if not files:
        raise UsageError("nothing to merge: no file is named")
    job = _Job(files, into, prefer=prefer, disk=disk, chunk_bytes=chunk_bytes, on_conflict=on_conflict)
    return job.run()


@dataclass(frozen=True, slots=True)
class _Input:
    number: int
    source: ChannelBytes
    preamble: Preamble
    head: Head
    style: Style


@dataclass(slots=True)
class _Totals:
    count: int = 0
    duplicates: int = 0
    conflicts: int = 0
    first: int = -1
    last: int = -1


class _Job:
    """One merge."""

    def __init__(
        self,
        files: Sequence[Path],
        into: Path,
        *,
        prefer: Prefer,
        disk: Disk,
        chunk_bytes: int | None,
        on_conflict: Callable[[Conflict], None],
    ) -> None:
        self._files = files
        self._into = into.resolve()  # a name that is a link stays one
        self._prefer = prefer
        self._disk = disk
        many = max(_BUFFERS_BYTES // len(files), _SMALLEST_CHUNK_BYTES)
        self._chunk_bytes = chunk_bytes or (None if len(files) <= 16 else many)
        self._on_conflict = on_conflict
        self._unordered: set[int] = set()
        self._totals = _Totals()
        self._told: set[tuple[int, int]] = set()
        self._plain: list[bool] = []
        """Which files part their messages as the first one does."""

    def run(self) -> MergeOutcome:
        with ExitStack() as stack:
            inputs = [
                _open_input(number, stack.enter_context(open_bytes(path))) for number, path in enumerate(self._files)
            ]
            for other in inputs[1:]:
                _check_same_channel(inputs[0], other)
            check_space(self._into.parent, max(item.source.size_bytes for item in inputs), disk=self._disk)
            message_count = self._counted(inputs) if inputs[0].head.states_count else 0
            with disk_errors(self._into):
                size_bytes = self._write(inputs, message_count)
        totals = self._totals
        return MergeOutcome(
            path=self._into,
            channel_id=inputs[0].head.channel_id,
            message_count=totals.count,
            duplicates=totals.duplicates,
            conflicts=totals.conflicts,
            first_id=MessageId(str(totals.first)) if totals.count else None,
            last_id=MessageId(str(totals.last)) if totals.count else None,
            size_bytes=size_bytes,
            unordered=tuple(self._files[number] for number in sorted(self._unordered)),
        )

    def _counted(self, inputs: list[_Input]) -> int:
        """Return how many messages there will be, for a header that says so."""
        tell, self._on_conflict = self._on_conflict, lambda _: None
        self._pass(inputs, Nowhere())
        self._on_conflict = tell
        self._told.clear()
        return self._totals.count

    def _write(self, inputs: list[_Input], message_count: int) -> int:
        """Write the merged file and return its size."""
        first = inputs[0]
        dates = widest_dates([item.head for item in inputs])
        header = patched(first.preamble.data, first.preamble.members, message_count=message_count, dates=dates)
        like = self._disk.facts_of(self._into) or self._disk.facts(first.source.descriptor)
        with replacing(self._into, like=like, disk=self._disk) as (_, descriptor):
            out = MergeOutput(self._disk, descriptor, len(header), first.style)
            frame = self._pass(inputs, out)
            envelope = envelope_like(frame, first.style, message_count=self._totals.count, dates=dates)
            out.flush(envelope.trailer)
            self._disk.write_at(descriptor, envelope.header, 0)
        return out.offset

    def _pass(self, inputs: list[_Input], out: MergeOutput | Nowhere) -> Frame:
        """Merge once, and again from the start each time that a file turns out not to be ordered."""
        while True:
            self._totals = _Totals()
            out.rewind()
            try:
                feeds = [
                    open_feed(
                        item.source,
                        item.preamble,
                        ordered=item.number not in self._unordered,
                        chunk_bytes=self._chunk_bytes,
                    )
                    for item in inputs
                ]
                self._merge(inputs, feeds, out)
            except NotOrdered as error:
                self._unordered.add(next(item.number for item in inputs if item.source is error.source))
                continue
            return feeds[0].frame

    def _merge(self, inputs: list[_Input], feeds: list[Feed], out: MergeOutput | Nowhere) -> None:
        self._plain = [item.style.separator == out.style.separator for item in inputs]
        ordered = [feed if isinstance(feed, OrderedFeed) else None for feed in feeds]
        heads = [feed.next_id for feed in feeds]
        while (low := min(heads)) != NO_ID:
            number = heads.index(low)
            feed = ordered[number]
            if self._totals.count == 0:
                self._totals.first = low
            if feed is not None and heads.count(low) == 1:
                heads[number] = NO_ID
                self._take(feed, feed.count_below(min(heads)), out, plain=self._plain[number])
                heads[number] = feed.next_id
                continue
            self._take_equal(low, [at for at, head in enumerate(heads) if head == low], feeds, heads, out)
            heads = [feed.next_id for feed in feeds]

    def _take_equal(
        self, low: int, at: list[int], feeds: list[Feed], heads: list[int], out: MergeOutput | Nowhere
    ) -> None:
        """Go on where the feeds at these numbers have the same message next."""
        one, other = feeds[at[0]], feeds[at[-1]]
        if len(at) == 2 and isinstance(one, OrderedFeed) and isinstance(other, OrderedFeed):
            limit = min((head for head in heads if head != low), default=NO_ID)
            count = _same_stretch(one, other, limit)
            if count:
                self._take(one, count, out, plain=self._plain[at[0]])
                other.skip(count)
                self._totals.duplicates += count
                return
        self._choose(low, [(feeds[number], self._files[number]) for number in at], out)

    def _take(self, feed: OrderedFeed, count: int, out: MergeOutput | Nowhere, *, plain: bool) -> None:
        """Copy the feed's next messages: as they stand, or one by one where they are not laid out like the others."""
        self._totals.count += count
        self._totals.last = feed.id_after(count - 1)
        if plain:
            out.put(feed.view(count))
            feed.skip(count)
            return
        for _ in range(count):
            out.put(feed.view(1))
            feed.skip(1)

    def _choose(self, identifier: int, feeds: list[tuple[Feed, Path]], out: MergeOutput | Nowhere) -> None:
        """Write one of the copies of a message that the feeds have next."""
        copies = _copies(identifier, feeds)
        kept = next(copies)
        for copy in copies:
            self._totals.duplicates += 1
            if copy[0] != kept[0] and not same_message(kept[0], copy[0]):
                kept = self._settle(identifier, kept, copy)
        self._totals.count += 1
        self._totals.last = identifier
        out.put(kept[0])

    def _settle(self, identifier: int, kept: tuple[bytes, Path], copy: tuple[bytes, Path]) -> tuple[bytes, Path]:
        """Return which of two copies stays, and tell of the other."""
        self._totals.conflicts += 1
        if self._prefer is Prefer.NEWEST and edited_at(copy[0]) >= edited_at(kept[0]):
            kept, copy = copy, kept
        key = (identifier, hash(copy[0]))
        if key not in self._told:  # a merge that begins again meets the same conflicts again
            self._told.add(key)
            message_id = MessageId(str(identifier))
            self._on_conflict(Conflict(message_id=message_id, kept=kept[0], dropped=copy[0], dropped_from=copy[1]))
        return kept


def _copies(identifier: int, feeds: list[tuple[Feed, Path]]) -> Iterator[tuple[bytes, Path]]:
    for feed, path in feeds:
        while feed.next_id == identifier:
            copy = bytes(feed.view(1))
            feed.skip(1)
            yield copy, path


def _open_input(number: int, source: ChannelBytes) -> _Input:
    preamble = read_preamble(source)
    style = style_of(preamble, opening_at(source, preamble.start))
    return _Input(number=number, source=source, preamble=preamble, head=head_of(source), style=style)


def _check_same_channel(first: _Input, other: _Input) -> None:
    if other.head.channel_id != first.head.channel_id:
        raise ForeignChannel(other.source.path, found=other.head.channel_id, expected=first.head.channel_id)
    guilds = (first.head.guild_id, other.head.guild_id)
    if guilds[0] is not None and guilds[1] is not None and guilds[0] != guilds[1]:
        raise ForeignChannel(other.source.path, found=guilds[1], expected=guilds[0], what="guild")


def _same_stretch(one: OrderedFeed, other: OrderedFeed, limit: int) -> int:
    """Return how many of the next messages below the limit are byte for byte the same in both; not all, perhaps."""
    ids, others = one.ids_left(), other.ids_left()
    count = min(one.count_below(limit), other.count_below(limit))
    while count > 1 and ids[:count] != others[:count]:
        count //= 2
    return count if bytes(one.view(count)) == bytes(other.view(count)) else 0
