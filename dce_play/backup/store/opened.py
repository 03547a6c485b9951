"""Reading a backup: stored bytes from the disk, decrypted, decompressed, with both sums checked on the way."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.filters.compression import compression
from dce_play.backup.manifest import Manifest
from dce_play.backup.protocols import Services
from dce_play.backup.registry import encryption_named
from dce_play.backup.streams import CHUNK_BYTES, Source
from dce_play.system.counted import counted


class StoredSource:
    """The bytes of a stored file, read from the disk as far as the system allows. ``finish`` compares size and sum."""

    def __init__(self, path: Path, *, size_bytes: int, sha256: str) -> None:
        """Open it.

        Raises: BackupError (``not-found``, ``verify-failed``).
        """
        self._path = path
        self._size = size_bytes
        self._sha256 = sha256
        self._sum = hashlib.sha256()
        self._read = 0
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise BackupError(ErrorId.VERIFY_FAILED, f"{path} cannot be read: {reason}") from error
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def read(self, size_bytes: int = CHUNK_BYTES, /) -> bytes:
        try:
            data = os.read(self._descriptor, size_bytes)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise BackupError(ErrorId.VERIFY_FAILED, f"{self._path} cannot be read: {reason}") from error
        self._sum.update(data)
        self._read += len(data)
        return data

    def finish(self) -> None:
        """Read what is left, and compare.

        Raises: BackupError (``verify-failed``, ``truncated``).
        """
        while self.read(CHUNK_BYTES):
            pass
        self.abort()
        if self._read != self._size:
            what = ErrorId.TRUNCATED if self._read < self._size else ErrorId.VERIFY_FAILED
            raise BackupError(what, f"{self._path} has {counted(self._read, 'byte')}, not {self._size}")
        if self._sum.hexdigest() != self._sha256:
            raise BackupError(ErrorId.VERIFY_FAILED, f"{self._path} is not what was written: its sha256 differs")

    def abort(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class PlainSource:
    """A plain stream. ``finish`` compares its size and sum, then finishes what it was read from."""

    def __init__(self, source: Source, manifest: Manifest) -> None:
        self._source = source
        self._manifest = manifest
        self._sum = hashlib.sha256()
        self._read = 0

    def read(self, size_bytes: int = CHUNK_BYTES, /) -> bytes:
        data = self._source.read(size_bytes)
        self._sum.update(data)
        self._read += len(data)
        return data

    def finish(self) -> None:
        """Compare.

        Raises: BackupError (``verify-failed``, ``truncated``).
        """
        self._source.finish()
        if self._read != self._manifest.plain_bytes or self._sum.hexdigest() != self._manifest.plain_sha256:
            raise BackupError(ErrorId.VERIFY_FAILED, f"the stream in {self._manifest.file} is not what was written")

    def abort(self) -> None:
        self._source.abort()


class StoredBackup:
    """A backup on this machine. An ``OpenBackup``."""

    def __init__(self, path: Path, manifest: Manifest, services: Services, *, identity: str | None = None) -> None:
        self._path = path
        self._manifest = manifest
        self._services = services
        self._identity = identity

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    @property
    def path(self) -> Path:
        return self._path

    def stored(self) -> StoredSource:
        """Open the stored bytes."""
        return StoredSource(self._path, size_bytes=self._manifest.bytes, sha256=self._manifest.sha256)

    @contextmanager
    def plain(self) -> Iterator[Source]:
        """Open the stream, decrypted and decompressed."""
        source: Source = self.stored()
        try:
            source = PlainSource(self._decompressed(self._decrypted(source)), self._manifest)
            yield source
        finally:
            source.abort()

    @contextmanager
    def decrypted(self) -> Iterator[Source]:
        """Open the stored bytes, decrypted and still compressed."""
        source: Source = self.stored()
        try:
            source = self._decrypted(source)
            yield source
        finally:
            source.abort()

    def _decrypted(self, source: Source) -> Source:
        encryption = self._manifest.encryption
        if encryption is None:
            return source
        return encryption_named(encryption.kind).decrypting(self._identity, self._services).reading(source)

    def _decompressed(self, source: Source) -> Source:
        kind = self._manifest.compression
        return compression(kind, self._services).reading(source) if kind else source
