"""Tars that other programs wrote, as streams: members one by one, without a list of them in memory.

Our own are read by ``tree.tar``, which knows every byte that we write.
"""

import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Protocol, cast

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.streams import CHUNK_BYTES

_END = bytes(2 * 512)


class Readable(Protocol):
    """Whatever ``tarfile`` can read from."""

    def read(self, size_bytes: int = -1, /) -> bytes: ...


class Member:
    """A member of an archive that is being read: its name, its size, and its bytes once."""

    def __init__(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        self.name = info.name
        self.size_bytes = info.size
        self.is_file = info.isreg()
        self._stream = archive.extractfile(info) if self.is_file else None

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes.

        Raises: BackupError (``truncated``).
        """
        left = self.size_bytes
        while self._stream is not None and left > 0:
            data = self._stream.read(min(CHUNK_BYTES, left))
            if not data:
                raise BackupError(ErrorId.TRUNCATED, f"the archive ends inside {self.name!r}")
            left -= len(data)
            yield data


def members(stream: Readable) -> Iterator[Member]:
    """Yield the members of an archive in their order; each must be read before the next is asked for.

    After the last one all of the stream has been read: what follows the archive's end must be zeros.

    Raises: BackupError: ``truncated``, when there is no end mark; ``verify-failed``, when it is no archive.
    """
    counted = _Counted(stream)
    try:
        # tarfile pulls in blocks of this size, so what it took is known to be the archive's.
        with tarfile.open(fileobj=cast(BinaryIO, counted), mode="r|", bufsize=CHUNK_BYTES) as archive:
            while (info := archive.next()) is not None:
                yield Member(archive, info)
                archive.members = []  # type: ignore[attr-defined]  # it would keep them all
    except (tarfile.ReadError, tarfile.StreamError) as error:
        truncated = counted.ended and ("unexpected end" in str(error) or "truncated" in str(error) or not counted.total)
        error_id = ErrorId.TRUNCATED if truncated else ErrorId.VERIFY_FAILED
        raise BackupError(error_id, f"the archive cannot be read: {error}") from error
    while data := counted.read(CHUNK_BYTES):
        if data.strip(b"\0"):
            raise BackupError(ErrorId.VERIFY_FAILED, "something follows the archive's end")
    if not counted.has_end_mark:
        raise BackupError(ErrorId.TRUNCATED, "the archive has no end mark")


class _Counted:
    """A stream that knows whether its last kibibyte was the zeros that end an archive."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._last = b""
        self.total = 0
        self.ended = False

    @property
    def has_end_mark(self) -> bool:
        return len(self._last) == len(_END) and not self._last.strip(b"\0")

    def read(self, size_bytes: int = -1, /) -> bytes:
        data = self._stream.read(size_bytes)
        self.total += len(data)
        self.ended = self.ended or not data or 0 <= len(data) < size_bytes
        self._last = data[-len(_END) :] if len(data) >= len(_END) else (self._last + data)[-len(_END) :]
        return data
