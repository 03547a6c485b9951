"""Packing an episode: read once, and on the way hashed, put into a tar, compressed, counted and written.

The archive is one zstd frame of one tar: the top folder ``<id>/``, then the members sorted by the bytes of their
path (a folder's ends in ``/``), owner 0 without names, mtime 0, modes 0644 and 0755, ustar with pax headers only
where a name or a size needs one.
"""

import hashlib
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import zstandard

from dce_play.errors import DcePlayError
from dce_play.system.descriptors import write_all
from dce_play.system.durable.disk import REAL
from dce_play.system.durable.sync_ahead import SyncAhead
from dce_play.system.side_thread import SideThread
from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.manifest import Entry, Manifest, empty_folders
from dce_play.transfer.sending.episodes.episode import FileFacts, Tree, seal_of, walk

CHUNK = 256 << 10
_BLOCK = 512
_THREADS_FROM = 4 << 20
"""Bytes of an episode from which on more than one thread is worth its start."""


class EpisodeChanged(DcePlayError):
    """An episode changed while it was packed: its writer has not finished."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} changed while it was packed")


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    size: int
    sha256: str
    """Hex, of the packed bytes."""
    manifest_digest: str
    seal: str


class Packer:
    """Packs episodes, one after the other, with compressors that are made once."""

    def __init__(self, *, level: int, threads: int) -> None:
        cores = threads or len(os.sched_getaffinity(0))
        self._small = zstandard.ZstdCompressor(level=level, write_checksum=True)
        self._large = self._small if cores == 1 else _in_threads(level, cores)

    def pack(self, episode: Path, identifier: EpisodeId, part: Path, *, moved: Callable[[int], None]) -> Packed:
        """Write an episode's archive to ``part`` and make its bytes durable. ``moved`` is told of bytes as they move.

        Raises: EpisodeChanged; UnsafeMember; OSError. Whatever is raised, by ``moved`` too, no file is left.
        """
        tree = walk(episode)
        compressor = self._large if tree.size >= _THREADS_FROM else self._small
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                writer = _Writer(descriptor, compressor.compressobj(size=-1), moved, beside=compressor is self._large)
                try:
                    digest = _write_members(episode, identifier, tree, writer)
                    size, sha256 = writer.finish()
                finally:
                    writer.settle()
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            seal = _same_seal(episode, tree)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return Packed(size=size, sha256=sha256, manifest_digest=digest, seal=seal)


def _same_seal(episode: Path, tree: Tree) -> str:
    seal = seal_of(tree)
    if seal_of(walk(episode)) != seal:
        raise EpisodeChanged(episode.name)
    return seal


def _in_threads(level: int, threads: int) -> zstandard.ZstdCompressor:
    """Return a compressor whose threads take half a window each at a time: a tenth of the memory, 0.1 % more bytes."""
    window_log = zstandard.ZstdCompressionParameters.from_level(level).window_log
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, threads=threads, write_checksum=True, job_size=max(1 << 20, 1 << (window_log - 1))
    )
    return zstandard.ZstdCompressor(compression_params=parameters)


class _Writer:
    """The tar's bytes on their way: compressed, then hashed and written, beside the compressing if that is wanted."""

    def __init__(
        self,
        descriptor: int,
        compressor: "zstandard.ZstdCompressionObj",
        moved: Callable[[int], None],
        *,
        beside: bool,
    ) -> None:
        self._descriptor = descriptor
        self._compressor = compressor
        self._moved = moved
        self._ahead = SyncAhead(REAL, descriptor)
        self._side = SideThread(self._write) if beside else None
        self._hash = hashlib.sha256()
        self._size = 0

    def put(self, data: bytes) -> None:
        """Take the next bytes of the tar."""
        self._out(self._compressor.compress(data))
        self._moved(len(data))

    def finish(self) -> tuple[int, str]:
        """End the tar with its two zero blocks; return size and sha256 of all that was written."""
        self._out(self._compressor.compress(bytes(2 * _BLOCK)))
        self._out(self._compressor.flush())
        if self._side is not None:
            self._side.drain()
        return self._size, self._hash.hexdigest()

    def settle(self) -> None:
        """Wait for all that still goes on; the descriptor may be closed after this.

        Raises: OSError, when anything was not written or not synced.
        """
        try:
            if self._side is not None:
                self._side.drain()
        finally:
            self._ahead.settle()

    def _out(self, data: bytes) -> None:
        if not data:
            return
        if self._side is not None:
            self._side.put(data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._size += len(data)
        write_all(self._descriptor, data)
        self._ahead.wrote_to(self._size)


def _write_members(episode: Path, identifier: EpisodeId, tree: Tree, writer: _Writer) -> str:
    """Write every member; return the manifest digest."""
    manifest = Manifest()
    writer.put(_header(identifier, b"", folder=True))
    empty = {entry.path for entry in empty_folders(tree.folders, [file.path for file in tree.files])}
    members: list[tuple[bytes, FileFacts | None]] = [(folder + b"/", None) for folder in tree.folders]
    members += [(file.path, file) for file in tree.files]
    for path, file in sorted(members, key=lambda member: member[0]):
        if file is not None:
            manifest.add(_write_file(episode, identifier, file, writer))
            continue
        writer.put(_header(identifier, path.removesuffix(b"/"), folder=True))
        if path in empty:
            manifest.add(Entry(path=path))
    return manifest.digest()


def _write_file(episode: Path, identifier: EpisodeId, file: FileFacts, writer: _Writer) -> Entry:
    name = file.path.decode("utf-8")
    try:
        descriptor = os.open(episode / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise EpisodeChanged(name) from error
    digest = hashlib.sha256()
    try:
        status = os.fstat(descriptor)
        if (status.st_size, status.st_mtime_ns, status.st_ino) != (file.size, file.mtime_ns, file.inode):
            raise EpisodeChanged(name)
        writer.put(_header(identifier, file.path, size=file.size, executable=file.executable))
        left = file.size
        while left:
            data = os.read(descriptor, min(CHUNK, left))
            if not data:
                raise EpisodeChanged(name)
            digest.update(data)
            writer.put(data)
            left -= len(data)
    finally:
        os.close(descriptor)
    writer.put(bytes(-file.size % _BLOCK))
    return Entry(path=file.path, size=file.size, sha256=digest.hexdigest())


def _header(
    identifier: EpisodeId, path: bytes, *, size: int = 0, folder: bool = False, executable: bool = False
) -> bytes:
    name = f"{identifier}/{path.decode('utf-8')}" if path else str(identifier)
    member = tarfile.TarInfo(name)  # tobuf ends a folder's name in a slash
    member.size = size
    member.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
    member.mode = 0o755 if folder or executable else 0o644
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
