"""A tar as a stream: members pushed into a sink, members read from a source, neither ever held."""

from collections.abc import Callable, Iterator

from dce_play.backup.streams import CHUNK_BYTES, Sink
from dce_play.backup.tree.pax import (
    BLOCK,
    END,
    Kind,
    Member,
    NotATar,
    apply_records,
    decode_ustar,
    encode_header,
    padding,
)
from dce_play.system.counted import counted

INDEX = b".dce-index.jsonl"
"""The last member of a tar of folders: one line a member before it."""
_MAX_RECORDS_BYTES = 1 << 20
_ZEROS = bytes(BLOCK)


class TarWriter:
    """Writes members into a sink, which the caller finishes."""

    def __init__(self, out: Sink) -> None:
        self._out = out
        self._due = 0

    def begin(self, member: Member) -> None:
        """Write a header; exactly ``size_bytes`` must follow through ``data``."""
        if self._due:
            raise ValueError(f"{counted(self._due, 'byte')} of the member before are missing")
        self._out.write(encode_header(member))
        self._due = member.size_bytes
        self._size = member.size_bytes

    def data(self, data: "bytes | memoryview") -> None:
        """Write the next bytes of the member that was begun; its padding follows its last one."""
        if not data:
            return
        self._due -= len(data)
        if self._due < 0:
            raise ValueError("more bytes than the header announced")
        self._out.write(data)
        if self._due == 0:
            self._out.write(padding(self._size))

    def whole(self, member: Member, content: bytes) -> None:
        """Write a small member at once."""
        self.begin(member)
        self.data(content)

    def end(self) -> None:
        """Write the end mark."""
        if self._due:
            raise ValueError(f"{counted(self._due, 'byte')} of the last member are missing")
        self._out.write(END)


class TarReader:
    """Reads members from a function that returns exactly so many bytes, fewer only at the stream's end.

    ``for member in reader:`` gives the headers; between two of them ``chunks`` gives the bytes of the first. What is
    not read is passed over.

    Raises: NotATar, when the stream is no tar of ours or ends before its end mark, or goes on behind it.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._offset = 0
        self._due = 0
        self._pad = 0

    def __iter__(self) -> Iterator[Member]:
        while (member := self._next()) is not None:
            yield member
        if self._read(1):
            raise NotATar(f"bytes behind the end mark at byte {self._offset}")

    def chunks(self) -> Iterator[bytes]:
        """Yield what is left of the member's bytes."""
        while self._due:
            data = self._exactly(min(CHUNK_BYTES, self._due))
            self._due -= len(data)
            yield data

    def take(self, size_bytes: int) -> bytes:
        """Return exactly so many of the member's bytes."""
        if size_bytes > self._due:
            raise NotATar(f"a member that is too short at byte {self._offset}")
        self._due -= size_bytes
        return self._exactly(size_bytes)

    def _next(self) -> Member | None:
        for _ in self.chunks():
            pass
        self._exactly(self._pad)
        self._pad = 0
        records = None
        while True:
            at = self._offset
            block = self._exactly(BLOCK)
            if block == _ZEROS:
                if self._exactly(BLOCK) != _ZEROS:
                    raise NotATar(f"half an end mark at byte {at}")
                return None
            member = decode_ustar(block, offset=at)
            if isinstance(member, int):
                if member > _MAX_RECORDS_BYTES:
                    raise NotATar(f"an extended header of {counted(member, 'byte')} at byte {at}")
                records = self._exactly(member + -member % BLOCK)[:member]
                continue
            if records is not None:
                apply_records(member, records, offset=at)
            self._due = member.size_bytes if member.kind is Kind.FILE else 0
            self._pad = -self._due % BLOCK
            return member

    def _exactly(self, size_bytes: int) -> bytes:
        data = self._read(size_bytes) if size_bytes else b""
        self._offset += len(data)
        if len(data) != size_bytes:
            raise NotATar(f"the stream ends at byte {self._offset}, inside a member or before its end mark")
        return data


def sparse_map(segments: list[tuple[int, int]]) -> bytes:
    """Return a sparse file's map (offset and length of each stretch of data), padded to whole blocks."""
    text = b"%d\n" % len(segments) + b"".join(b"%d\n%d\n" % segment for segment in segments)
    return text + padding(len(text))


def read_sparse_map(reader: TarReader) -> list[tuple[int, int]]:
    """Read the map at the start of a sparse member's bytes.

    Raises: NotATar.
    """
    text = reader.take(BLOCK)
    try:
        count = int(text.split(b"\n", 1)[0])
        while text.count(b"\n") < 2 * count + 1:
            text += reader.take(BLOCK)
        numbers = [int(number) for number in text.split(b"\n")[1 : 2 * count + 1]]
    except ValueError:
        raise NotATar("a sparse file with a map that is none") from None
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def content(reader: TarReader, member: Member) -> tuple[list[tuple[int, int]] | None, Iterator[tuple[int, bytes]]]:
    """Return a file's segments (``None`` when it is not sparse) and its data, each piece with its place in the file.

    A piece never lies across the border of a segment.

    Raises: NotATar, also while the data are read.
    """
    if member.real_bytes is None:
        return None, _placed(reader, [(0, member.size_bytes)])
    segments = read_sparse_map(reader)
    return segments, _placed(reader, segments)


def _placed(reader: TarReader, segments: list[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    for start, length in segments:
        done = 0
        while done < length:
            data = reader.take(min(CHUNK_BYTES, length - done))
            yield start + done, data
            done += len(data)
