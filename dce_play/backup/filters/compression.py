"""gzip and zstd: written by a program where one is there, as Python's own costs the interpreter's lock."""

import shutil
import zlib
from typing import Any, Protocol

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.filters.programs import ProgramSink
from dce_play.backup.protocols import Filter, Services
from dce_play.backup.streams import CHUNK_BYTES, Sink, Source
from dce_play.system.process.executor import Command

GZIP = "gzip"
ZSTD = "zstd"
NONE = "none"
_GZIP_LEVEL = 6
_ZSTD_LEVEL = 3
_GZIP_WINDOW = 31
_FOR_EVER_S = 30 * 86_400.0


def compression(kind: str, services: Services, *, level: int | None = None) -> Filter:
    """Return a compression by its name, ``gzip`` or ``zstd``.

    Raises: BackupError (``invalid``), for another name.
    """
    match kind:
        case "gzip":
            return _Gzip(services, _GZIP_LEVEL if level is None else level)
        case "zstd":
            return _Zstd(services, _ZSTD_LEVEL if level is None else level)
    raise BackupError(ErrorId.INVALID, f'no compression "{kind}"')


class _Gzip:
    kind = GZIP
    suffix = ".gz"

    def __init__(self, services: Services, level: int) -> None:
        self._services = services
        self._level = level

    def into(self, out: Sink, /) -> Sink:
        """Return a sink through pigz or gzip, else through zlib."""
        program = next((name for name in ("pigz", "gzip") if shutil.which(name)), None)
        if program is None:
            return _DeflateSink(out, zlib.compressobj(self._level, zlib.DEFLATED, _GZIP_WINDOW))
        command = Command(argv=(program, f"-{self._level}", "-n", "-c"), timeout_s=_FOR_EVER_S)
        return ProgramSink(command, self._services.streams, out)

    def reading(self, stored: Source, /) -> Source:
        return _Gunzipping(stored)


class _Zstd:
    kind = ZSTD
    suffix = ".zst"

    def __init__(self, services: Services, level: int) -> None:
        self._services = services
        self._level = level

    def into(self, out: Sink, /) -> Sink:
        """Return a sink through the zstd program, else through its library."""
        if shutil.which("zstd") is None:
            import zstandard  # 10 ms, and not every backup is compressed so

            return _DeflateSink(out, zstandard.ZstdCompressor(level=self._level, write_checksum=True).compressobj())
        command = Command(argv=("zstd", f"-{self._level}", "-T0", "-q", "-c"), timeout_s=_FOR_EVER_S)
        return ProgramSink(command, self._services.streams, out)

    def reading(self, stored: Source, /) -> Source:
        return _Unzstding(stored)


class _Deflates(Protocol):
    """A compressor of zlib or of zstandard."""

    def compress(self, data: "bytes | memoryview", /) -> bytes: ...

    def flush(self) -> bytes: ...


class _DeflateSink:
    """A sink through a library, in this process."""

    def __init__(self, out: Sink, deflate: _Deflates) -> None:
        self._out = out
        self._deflate = deflate

    def write(self, data: "bytes | memoryview", /) -> None:
        if packed := self._deflate.compress(data):
            self._out.write(packed)

    def finish(self) -> None:
        self._out.write(self._deflate.flush())

    def abort(self) -> None:
        """Nothing is held."""


class _Gunzipping:
    """A source that decompresses another, one gzip member after the other, and refuses one that is cut off.

    However much a few bytes expand to, no more than a chunk is made of them at a time.
    """

    def __init__(self, stored: Source) -> None:
        self._stored = stored
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        self._rest = b""

    def read(self, size_bytes: int = CHUNK_BYTES, /) -> bytes:
        while True:
            data = self._rest or self._stored.read(CHUNK_BYTES)
            if not data:
                if not self._inflate.eof:
                    raise BackupError(ErrorId.TRUNCATED, "the gzip stream is cut off")
                return b""
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(_GZIP_WINDOW)
            try:
                plain = self._inflate.decompress(data, size_bytes)
            except zlib.error as error:
                raise BackupError(ErrorId.VERIFY_FAILED, f"the gzip stream is damaged: {error}") from error
            self._rest = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if plain:
                return plain

    def finish(self) -> None:
        self._stored.finish()

    def abort(self) -> None:
        self._stored.abort()


class _Unzstding:
    """A source that decompresses another. That a frame is cut off shows in the sums, which who reads it compares."""

    def __init__(self, stored: Source) -> None:
        import zstandard  # as above

        self._stored = stored
        self._damaged = zstandard.ZstdError
        source: Any = stored
        self._reader = zstandard.ZstdDecompressor().stream_reader(
            source, read_size=CHUNK_BYTES, read_across_frames=True, closefd=False
        )

    def read(self, size_bytes: int = CHUNK_BYTES, /) -> bytes:
        try:
            return bytes(self._reader.read(size_bytes))
        except self._damaged as error:
            raise BackupError(ErrorId.VERIFY_FAILED, f"the zstd stream is damaged: {error}") from error

    def finish(self) -> None:
        self._stored.finish()

    def abort(self) -> None:
        self._stored.abort()
