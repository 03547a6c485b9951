"""A stream of zstd frames, unpacked as it comes in: in small pieces, with every frame seen to its end.

The library unpacks; beside it the frames' and blocks' headers are walked, because the library tells neither that a
stream stopped in the middle of a frame nor how large a window a frame asks for before it has the memory.
Source: RFC 8878, 3.1.
"""

from collections.abc import Callable
from enum import Enum, auto

import zstandard

from dce_play.system.counted import counted
from dce_play.transfer.refused import ArchiveRefused

LARGEST_WINDOW_BYTES = 128 << 20
PIECE_BYTES = 512 << 10
"""No more than this is handed on at once, however well it was packed."""

_MAGIC = b"\x28\xb5\x2f\xfd"
_DICTIONARY_ID_BYTES = (0, 1, 2, 4)
_CONTENT_SIZE_BYTES = (0, 2, 4, 8)
_LARGEST_BLOCK_BYTES = 128 << 10


class _Next(Enum):
    MAGIC = auto()
    HEADER = auto()
    BLOCK = auto()
    CHECKSUM = auto()


class _FrameWalk:
    """Where in which frame a stream stands. Sees every byte once and keeps at most a header's."""

    def __init__(self) -> None:
        self._next = _Next.MAGIC
        self._need = len(_MAGIC) + 1
        self._head = bytearray()
        self._skip = 0
        self._has_checksum = False
        self._frames = 0

    def feed(self, data: memoryview) -> None:
        at, end = 0, len(data)
        while at < end:
            if self._skip:
                step = min(self._skip, end - at)
                self._skip -= step
                at += step
                continue
            step = min(self._need - len(self._head), end - at)
            self._head += data[at : at + step]
            at += step
            if len(self._head) == self._need:
                self._advance()

    def finish(self) -> None:
        if self._next is not _Next.MAGIC or self._head or self._skip:
            raise ArchiveRefused("archive_invalid", "the zstd stream ends in the middle of a frame")
        if not self._frames:
            raise ArchiveRefused("archive_invalid", "the body is empty")

    def _advance(self) -> None:
        head = bytes(self._head)
        match self._next:
            case _Next.MAGIC:
                self._begin(head)
                return
            case _Next.HEADER:
                self._check_window(head)
                self._expect(_Next.BLOCK, 3)
            case _Next.BLOCK:
                self._enter_block(int.from_bytes(head, "little"))
            case _Next.CHECKSUM:
                self._end_frame()

    def _begin(self, head: bytes) -> None:
        if head[:4] != _MAGIC:
            what = "bytes after the last zstd frame" if self._frames else "the body is no zstd frame"
            raise ArchiveRefused("archive_invalid", what)
        descriptor = head[4]
        if descriptor & 0b1000:
            raise ArchiveRefused("archive_invalid", "a zstd frame header sets a reserved bit")
        self._has_checksum = bool(descriptor & 0b100)
        size = 5 + _DICTIONARY_ID_BYTES[descriptor & 0b11] + _CONTENT_SIZE_BYTES[descriptor >> 6]
        single = bool(descriptor & 0b100000)
        self._next, self._need = _Next.HEADER, size + (1 if not single or descriptor >> 6 == 0 else 0)

    def _check_window(self, head: bytes) -> None:
        descriptor = head[4]
        if descriptor & 0b11:
            raise ArchiveRefused("archive_invalid", "a zstd frame needs a dictionary")
        if descriptor & 0b100000:
            content = head[5:]
            window = int.from_bytes(content, "little") + (256 if len(content) == 2 else 0)
        else:
            base = 1 << (10 + (head[5] >> 3))
            window = base + (base >> 3) * (head[5] & 0b111)
        if window > LARGEST_WINDOW_BYTES:
            raise ArchiveRefused("archive_unsafe", f"a zstd frame asks for a window of {counted(window, 'byte')}")

    def _enter_block(self, header: int) -> None:
        last, kind, size = header & 1, (header >> 1) & 0b11, header >> 3
        if kind == 3 or size > _LARGEST_BLOCK_BYTES:
            raise ArchiveRefused("archive_invalid", "a zstd block is damaged")
        self._skip = 1 if kind == 1 else size
        if not last:
            self._expect(_Next.BLOCK, 3)
        elif self._has_checksum:
            self._expect(_Next.CHECKSUM, 4)
        else:
            self._end_frame()

    def _end_frame(self) -> None:
        self._frames += 1
        self._expect(_Next.MAGIC, len(_MAGIC) + 1)

    def _expect(self, what: _Next, size: int) -> None:
        self._next, self._need = what, size
        self._head.clear()


class _Sink:
    """What the library writes to: counts, and hands on."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def write(self, data: bytes) -> int:
        self._take(data)
        return len(data)


class ZstdStream:
    """Unpacks what it is fed and hands it on, ``PIECE_BYTES`` at most at a time."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._walk = _FrameWalk()
        unpacker = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW_BYTES)
        self._writer = unpacker.stream_writer(_Sink(take), write_size=PIECE_BYTES, closefd=False)  # type: ignore[arg-type]  # it only writes

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes. What ``take`` raises comes through.

        Raises: ArchiveRefused.
        """
        self._walk.feed(memoryview(data))
        try:
            self._writer.write(data)
        except zstandard.ZstdError as error:
            raise ArchiveRefused("archive_invalid", f"the zstd stream is damaged: {error}") from error

    def finish(self) -> None:
        """Say that all was fed.

        Raises: ArchiveRefused, unless the stream ends where a frame ends.
        """
        self._walk.finish()
