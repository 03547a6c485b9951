"""Reading a channel file from one end to the other in bounded memory, every byte of it checked.

    with open_bytes(path) as source:
        scan = Scanner(source)
        for block in scan.blocks():
            block.ids, block.numbers, block.data
        scan.frame.message_count

A block is a stretch of whole messages, parsed at once. Where a stretch was cut in the wrong place, or holds something
that a fast engine refuses, its messages are walked one by one by their tokens; so any legal JSON is read, and a damaged
file is refused at the byte where it stops being one. Why that is sound: docs/design/scanner.md.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dce_play.discord.archive.scan.boundaries import Boundaries, LineBoundaries, guess_boundaries
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.damage import Damage, DamagedFile
from dce_play.discord.archive.scan.engine import Engine, NotMessages, fastest_engine
from dce_play.discord.archive.scan.frame import Frame, Preamble, read_frame, read_preamble
from dce_play.discord.archive.scan.strict_json import NotJson
from dce_play.discord.archive.scan.tokens import skip_space
from dce_play.discord.archive.scan.walk import Flaw, Walk, message_id, walk
from dce_play.snowflake import MessageId

MAX_MESSAGE_BYTES = 16 << 20
_MAX_ID = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class MessageSpan:
    """Where one message's bytes start and end in a file."""

    id: MessageId
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A stretch of whole messages."""

    start: int
    """Offset in the file of ``data``'s first byte: just past the array's ``[`` or a comma."""
    data: memoryview
    """The messages, the commas between them and the white space around them. Valid until the next block is read."""
    ids: list[str]
    numbers: list[int]
    """The ids by value."""
    flaws: tuple[Flaw, ...] = ()
    """Messages without an id or a timestamp; only in a lenient scan. Those without an id are not in ``ids``."""
    line: bytes = b""
    known: tuple[tuple[int, int], ...] = field(default=())

    @property
    def end(self) -> int:
        """Offset of what follows: a comma, the ``]``, or the end of what is whole."""
        return self.start + len(self.data)

    def spans(self) -> list[MessageSpan]:
        """Return where each message stands in the file."""
        return [
            MessageSpan(MessageId(identifier), self.start + first, self.start + last)
            for identifier, (first, last) in zip(self.ids, self.places(), strict=True)
        ]

    def places(self) -> list[tuple[int, int]]:
        """Return where each message stands in ``data``."""
        if self.known:
            return list(self.known)
        data = bytes(self.data)
        if self.line and data.count(self.line) == len(self.ids) - 1:
            return _places_by_line(data, self.line)
        return list(walk(data, first=False, whole=True).elements)


class Scanner:
    """One reading of one file. Not to be shared between threads."""

    def __init__(
        self,
        source: ChannelBytes,
        preamble: Preamble | None = None,
        *,
        engine: Engine | None = None,
        chunk_bytes: int | None = None,
        lenient: bool = False,
    ) -> None:
        """Prepare to read. ``lenient`` reports messages that lack something as flaws instead of refusing the file."""
        self.source = source
        self.preamble = preamble or read_preamble(source)
        self._engine = engine or fastest_engine()()
        self._chunk_bytes = chunk_bytes or self._engine.chunk_bytes
        self._lenient = lenient

    frame: Frame
    """What stands around the messages; set when ``blocks`` has come to its end."""

    def blocks(self) -> Iterator[Block]:
        """Yield the messages in file order.

        Raises: DamagedFile, after every whole message before the damage was yielded.
        """
        array = Stretch(self.source, self.preamble.start, engine=self._engine, chunk_bytes=self._chunk_bytes)
        yield from array.blocks(lenient=self._lenient)
        self.frame = read_frame(self.source, self.preamble, array.end)

    def read_all(self) -> Frame:
        """Read to the end for the sake of what stands around the messages.

        Raises: DamagedFile.
        """
        for _ in self.blocks():
            pass
        return self.frame


class Stretch:
    """Messages from one offset on: just past the array's ``[``, or past a comma between two messages."""

    def __init__(
        self,
        source: ChannelBytes,
        start: int,
        *,
        stop: int | None = None,
        engine: Engine,
        chunk_bytes: int,
        boundaries: Boundaries | None = None,
        after_comma: bool = False,
    ) -> None:
        """Prepare to read up to the array's end, or up to ``stop``, the offset of a comma or of the ``]``."""
        self.end = start
        """When the blocks have ended: where the ``]`` stands, or ``stop``."""
        self._source = source
        self._start = start
        self._stop = source.size_bytes if stop is None else stop
        self._to_stop = stop is not None
        self._after_comma = after_comma
        self._engine = engine
        self._boundaries = boundaries or guess_boundaries(source, start)
        self._buffer = bytearray(chunk_bytes + 1)
        self._buffer[0] = ord("[")

    def blocks(self, *, lenient: bool = False) -> Iterator[Block]:
        """Yield the messages in file order.

        Raises: DamagedFile, after every whole message before the damage was yielded.
        """
        at: int | None = self._start
        while at is not None:
            block = self._fast(at)
            if block is not None:
                yield block
                at = block.end + 1
                continue
            at = yield from self._walk(at, lenient=lenient)

    def _fast(self, at: int) -> Block | None:
        """Return the messages up to the last boundary in the next chunk, or ``None`` when there is no such thing."""
        buffer, view = self._buffer, memoryview(self._buffer)
        size = self._source.read_into(view[1 : 1 + min(len(buffer) - 1, self._stop - at)], at)
        comma = self._boundaries.last_comma(buffer, size + 1)
        if comma <= 0:
            return None
        buffer[comma] = ord("]")
        try:
            ids = self._engine.ids(view[: comma + 1])
            numbers = _numbers(ids)
        except NotMessages:
            return None
        finally:
            buffer[comma] = ord(",")
        # Nothing before a comma is a stretch without a message: "[ , {…}]" must not pass.
        if not ids:
            return None
        line = self._boundaries.line if isinstance(self._boundaries, LineBoundaries) else b""
        return Block(start=at, data=view[1:comma], ids=ids, numbers=numbers, line=line)

    def _walk(self, at: int, *, lenient: bool) -> Generator[Block, None, int | None]:
        """Yield the next messages, one block of them, and return where to go on, if anywhere."""
        data, whole, found = self._look(at)
        block, refusal = self._judge(data, at, found, lenient=lenient)
        if block is not None:
            yield block
        if refusal is not None:
            raise refusal
        if found.stop is not None:
            raise self._damaged(at + found.stop.at, found.stop.reason, found.stop.damage)
        if found.end is not None:
            self.end = at + found.end
            if self._to_stop:
                raise self._damaged(self.end, "the array ends before its end")
            return None
        if not whole:
            return at + found.resume
        if self._to_stop and self._is_used_up(data, at, found):
            self.end = self._stop
            return None
        raise self._damaged(at + found.resume, "it ends before the end of its messages", Damage.TRUNCATED)

    def _look(self, at: int) -> tuple[bytes, bool, Walk]:
        """Return the next bytes with at least one whole message, or with the reason why there is none."""
        size_bytes = len(self._buffer)
        while True:
            data = self._source.read_at(min(size_bytes, self._stop - at), at)
            whole = at + len(data) >= self._stop
            found = walk(data, first=self._is_first(at), whole=whole)
            if whole or found.elements or found.stop is not None or found.end is not None:
                return data, whole, found
            if size_bytes >= MAX_MESSAGE_BYTES:
                raise self._damaged(at, f"a message longer than {MAX_MESSAGE_BYTES} bytes", Damage.TOO_LARGE)
            size_bytes = min(size_bytes * 4, MAX_MESSAGE_BYTES)

    def _judge(self, data: bytes, at: int, found: Walk, *, lenient: bool) -> tuple[Block | None, DamagedFile | None]:
        """Return the messages that are sound, and what the first unsound one is refused with."""
        ids: list[str] = []
        places: list[tuple[int, int]] = []
        flaws: list[Flaw] = []
        refusal = None
        end = 0
        for first, last in found.elements:
            try:
                identifier, flaw = message_id(data[first:last], at + first)
            except NotJson as error:
                refusal = self._damaged(at + first + error.offset, error.reason)
                break
            if flaw is not None and not lenient and identifier is None:
                refusal = self._damaged(flaw.offset, flaw.reason, Damage.NOT_A_MESSAGE)
                break
            if flaw is not None and lenient:
                flaws.append(flaw)
            if identifier is not None:
                ids.append(identifier)
                places.append((first, last))
            end = last
        if end == 0:
            return None, refusal
        block = Block(
            start=at,
            data=memoryview(data)[:end],
            ids=ids,
            numbers=list(map(int, ids)),
            flaws=tuple(flaws),
            known=tuple(places),
        )
        return block, refusal

    def _is_first(self, at: int) -> bool:
        return at == self._start and not self._after_comma

    def _is_used_up(self, data: bytes, at: int, found: Walk) -> bool:
        """Return whether a stretch that ends at ``stop`` was read to there, with no comma left over."""
        nothing_left = skip_space(data, found.resume) == len(data)
        return nothing_left and (found.elements[-1][1] == found.resume if found.elements else self._is_first(at))

    def _damaged(self, offset: int, reason: str, damage: Damage = Damage.NOT_JSON) -> DamagedFile:
        return DamagedFile(self._source.path, offset=offset, reason=reason, damage=damage)


def scan(path: Path, *, engine: Engine | None = None) -> Iterator[Block]:
    """Yield the messages of a file, in file order.

    Raises: DamagedFile, OSError.
    """
    with open_bytes(path) as source:
        yield from Scanner(source, engine=engine).blocks()


def _numbers(ids: list[str]) -> list[int]:
    """Return the ids by value.

    Raises: NotMessages, where one is not an unsigned 64-bit number in plain digits.
    """
    if not ids:
        return []
    lengths = set(map(len, ids))
    if min(lengths) == 0 or max(lengths) > 20 or not "".join(ids).encode("utf-8", "surrogatepass").isdigit():
        raise NotMessages("an id that is not a number")
    numbers = list(map(int, ids))
    if max(numbers) > _MAX_ID:
        raise NotMessages("an id beyond 64 bits")
    return numbers


def _places_by_line(data: bytes, line: bytes) -> list[tuple[int, int]]:
    places = []
    start = skip_space(data, 0)
    at = data.find(line)
    while at >= 0:
        end = at + len(line)
        places.append((start, end - 1))
        start = skip_space(data, end)
        at = data.find(line, end)
    places.append((start, len(data.rstrip(b" \t\r\n"))))
    return places
