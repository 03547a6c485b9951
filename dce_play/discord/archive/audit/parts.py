"""One reading of a channel file for an audit, by one process or by two that take half of it each."""

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dce_play.discord.archive.scan.boundaries import guess_boundaries
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.engine import fastest_engine
from dce_play.discord.archive.scan.frame import Frame, Preamble, read_frame
from dce_play.discord.archive.scan.id_order import MAX_TOLD, IdOrder
from dce_play.discord.archive.scan.scanner import Block, Stretch
from dce_play.discord.archive.scan.walk import Flaw

SPLIT_BYTES = 256 << 20
"""Below that size a second process costs more than it saves."""
_LOOK_BYTES = 4 << 20

OnBytes = Callable[[int], None]
"""Gets the number of bytes read since the last call."""


@dataclass(slots=True)
class Tally:
    """What was seen of a stretch of messages."""

    order: IdOrder = field(default_factory=IdOrder)
    flaws: list[Flaw] = field(default_factory=list)
    flaw_count: int = 0
    unnumbered: int = 0
    """Messages without an id."""
    end: int = 0
    """Where the stretch ends: the array's ``]``, or the comma where the next one begins."""

    def take(self, blocks: Iterable[Block], on_bytes: OnBytes) -> None:
        """Follow blocks to their end."""
        for block in blocks:
            self.order.add(block)
            self.flaw_count += len(block.flaws)
            self.unnumbered += sum(flaw.without != "timestamp" for flaw in block.flaws)
            if block.flaws and len(self.flaws) < MAX_TOLD:
                self.flaws.extend(block.flaws[: MAX_TOLD - len(self.flaws)])
            on_bytes(len(block.data))


@dataclass(frozen=True, slots=True)
class Reading:
    """A file read as far as it can be read."""

    tally: Tally
    frame: Frame | None
    damage: DamagedFile | None


def read_messages(
    source: ChannelBytes,
    preamble: Preamble,
    *,
    start: int | None = None,
    jobs: int = 1,
    split_bytes: int = SPLIT_BYTES,
    on_bytes: OnBytes,
) -> Reading:
    """Read a file's messages and what stands around them; from the comma at ``start`` on when it is given."""
    first = preamble.start if start is None else start
    large = source.size_bytes - first >= split_bytes
    # A process with threads must not fork: another thread may hold a lock that the child then waits for.
    split = jobs > 1 and start is None and large and threading.active_count() == 1
    comma = _halfway(source, first) if split else None
    if comma is not None:
        halves = _read_halves(source, preamble.start, comma, on_bytes)
        # Only if both halves are sound is the guess where to cut proved right. Damage is placed by one whole reading.
        if halves is not None:
            return _framed(source, preamble, halves)
    tally = Tally()
    stretch = _stretch(source, preamble.start) if start is None else _stretch(source, start + 1, after_comma=True)
    try:
        tally.take(stretch.blocks(lenient=True), on_bytes)
    except DamagedFile as error:
        return Reading(tally, None, error)
    tally.end = stretch.end
    return _framed(source, preamble, tally)


def _framed(source: ChannelBytes, preamble: Preamble, tally: Tally) -> Reading:
    try:
        return Reading(tally, read_frame(source, preamble, tally.end), None)
    except DamagedFile as error:
        return Reading(tally, None, error)


def _stretch(source: ChannelBytes, start: int, *, stop: int | None = None, after_comma: bool = False) -> Stretch:
    engine = fastest_engine()()
    return Stretch(source, start, stop=stop, engine=engine, chunk_bytes=engine.chunk_bytes, after_comma=after_comma)


def _halfway(source: ChannelBytes, start: int) -> int | None:
    """Return the offset of a comma near the middle that seems to part two messages."""
    middle = (start + source.size_bytes) // 2
    buffer = bytearray(_LOOK_BYTES)
    count = source.read_into(memoryview(buffer), middle)
    comma = guess_boundaries(source, start).last_comma(buffer, count)
    return middle + comma if comma > 0 else None


def _read_halves(source: ChannelBytes, start: int, comma: int, on_bytes: OnBytes) -> Tally | None:
    """Read both halves at once; ``None`` when one of them cannot be read."""

    def first_half() -> Tally:
        tally = Tally(end=comma)
        tally.take(_stretch(source, start, stop=comma).blocks(lenient=True), lambda _: None)
        return tally

    child = _Child(first_half)
    second = Tally()
    stretch = _stretch(source, comma + 1, after_comma=True)
    try:
        second.take(stretch.blocks(lenient=True), on_bytes)
    except DamagedFile:
        child.end()
        return None
    except BaseException:
        child.end()
        raise
    first = child.result()
    if first is None:
        return None
    on_bytes(comma - start)
    first.order.join(second.order, comma)
    first.flaw_count += second.flaw_count
    first.unnumbered += second.unnumbered
    first.flaws = (first.flaws + second.flaws)[:MAX_TOLD]
    first.end = stretch.end
    return first


class _Child:
    """A function that runs in a forked process and sends back what it returns."""

    def __init__(self, function: Callable[[], Tally]) -> None:
        reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            status = 1
            try:
                os.close(reading)
                with os.fdopen(writing, "wb") as pipe:
                    pickle.dump(function(), pipe)
                status = 0
            finally:
                os._exit(status)  # the child must not run what the parent has registered for its own end
        os.close(writing)
        self._reading = reading

    def end(self) -> None:
        """End the child whatever it is doing."""
        os.kill(self._pid, signal.SIGKILL)
        self.result()

    def result(self) -> Tally | None:
        """Return what the function returned, or ``None`` when it failed. Ends the child."""
        with os.fdopen(self._reading, "rb") as pipe:
            data = pipe.read()
        _, status = os.waitpid(self._pid, 0)
        value: Any = pickle.loads(data) if status == 0 and data else None  # noqa: S301 - from our own child
        return value if isinstance(value, Tally) else None
