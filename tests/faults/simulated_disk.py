"""A disk that remembers what was synced, and every state that a power loss can leave.

``SimulatedDisk`` does each file call for real, on files in a test's folder, and keeps beside it what is durable: an
inode's bytes as of its last fsync plus the writes since, sector by sector; a folder's names as of its last fsync plus
the changes since. ``states`` yields what a power loss right now may leave; ``put_back`` makes the files so.

Inodes are kept alive by links outside the folder, so that a file put back is the same inode that the journal names.
"""

import errno
import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dce_play.system.durable.disk import Disk

SECTOR_BYTES = 512
MAX_FREE_SECTORS = 9
"""With more unsynced sectors than that, not every subset of them is tried but the telling ones."""

Inode = int
Names = dict[str, Inode]


class PowerLoss(BaseException):
    """The machine stops here. Not an ``Exception``: nothing on the way may handle it."""


@dataclass
class FileState:
    """One inode: what is on the disk, and what has been done to it since the last fsync."""

    durable: bytes
    writes: list[tuple[int, bytes]] = field(default_factory=list)
    """Sectors written since: offset and bytes, never across a sector's border."""
    sizes: list[int] = field(default_factory=list)
    """Sizes that the file has had since."""


@dataclass(frozen=True)
class DiskState:
    """What is on the disk after a power loss: names of each folder, bytes of each inode that has a name."""

    names: Mapping[Path, tuple[tuple[str, Inode], ...]]
    files: Mapping[Inode, bytes]

    def key(self) -> tuple[object, ...]:
        return tuple(sorted(self.names.items())), tuple(sorted(self.files.items()))


class SimulatedDisk(Disk):
    """The file calls, with the power cut before call number ``stop_at`` (counted over changing calls, from 1)."""

    def __init__(self, root: Path, stash: Path, *, stop_at: int | None = None) -> None:
        self.root = root
        self.stash = stash
        self.calls: list[str] = []
        self.stop_at = stop_at
        self._files: dict[Inode, FileState] = {}
        self._names: dict[Path, Names] = {}
        self._changes: dict[Path, list[tuple[str | None, str | None, Inode]]] = {}
        self._paths: dict[int, Path] = {}
        for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            self._adopt_folder(folder)

    # What changes the disk

    def open(self, path: Path, flags: int, mode: int = 0o666) -> int:
        creates = flags & os.O_CREAT and not path.exists()
        truncates = flags & os.O_TRUNC and path.exists()
        if creates or truncates:
            self._step(f"open {path.name}")
        descriptor = super().open(path, flags, mode)
        inode = os.fstat(descriptor).st_ino
        self._paths[descriptor] = path
        if creates:
            self._keep(path, inode)
            self._files[inode] = FileState(durable=b"", sizes=[0])
            self._changes.setdefault(path.parent, []).append((None, path.name, inode))
        elif truncates:
            self._files[inode].sizes.append(0)
        return descriptor

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        # Two calls at least for what covers two sectors: a process may die between them.
        middle = len(data) // 2 if len(data) > SECTOR_BYTES else 0
        for part, at in ((data[:middle], offset), (data[middle:], offset + middle)):
            if part:
                self._step(f"write {self._paths[descriptor].name}")
                super().write_at(descriptor, part, at)
                state = self._state(descriptor)
                state.writes += _sectors(part, at)
                state.sizes.append(self.facts(descriptor).size_bytes)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        self._step(f"truncate {self._paths[descriptor].name}")
        super().truncate(descriptor, size_bytes)
        self._state(descriptor).sizes.append(size_bytes)
        # Bytes cut off must not come back when the file grows again: unsynced writes beyond are forgotten by the
        # kernel, and what grows again starts as zeros, which sectors that were never written are.
        state = self._state(descriptor)
        state.writes = [(at, part[: max(size_bytes - at, 0)]) for at, part in state.writes if at < size_bytes]

    def sync(self, descriptor: int) -> None:
        self._step(f"sync {self._paths[descriptor].name}")
        inode = os.fstat(descriptor).st_ino
        self._files[inode] = FileState(durable=(self.stash / str(inode)).read_bytes())

    def sync_folder(self, folder: Path) -> None:
        self._step(f"sync folder {folder.name}")
        self._names[folder] = self._real_names(folder)
        self._changes[folder] = []

    def make_folder(self, folder: Path) -> None:
        """Folders are made before the test begins: what is tried here is the protocol, not mkdir."""
        assert folder.is_dir(), folder

    def rename(self, source: Path, destination: Path) -> None:
        self._step(f"rename {source.name} to {destination.name}")
        inode = source.stat().st_ino
        super().rename(source, destination)
        self._changes.setdefault(source.parent, []).append((source.name, destination.name, inode))

    def link(self, source: Path, destination: Path) -> None:
        self._step(f"link {destination.name}")
        super().link(source, destination)
        self._changes.setdefault(destination.parent, []).append((None, destination.name, source.stat().st_ino))

    def unlink(self, path: Path) -> None:
        if path.exists():
            self._step(f"unlink {path.name}")
            inode = path.stat().st_ino
            super().unlink(path)
            self._changes.setdefault(path.parent, []).append((path.name, None, inode))

    def clone(self, _source: int, _destination: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "a simulated disk clones nothing")

    # What a power loss leaves

    def states(self) -> Iterator[DiskState]:
        """Yield every disk state that a power loss now may leave."""
        folders = sorted(self._names)
        for names in itertools.product(*map(self._names_after, folders)):
            named = {folder: tuple(sorted(entries.items())) for folder, entries in zip(folders, names, strict=True)}
            inodes = sorted({inode for entries in names for inode in entries.values()})
            for contents in itertools.product(*(_contents_after(self._files[inode]) for inode in inodes)):
                yield DiskState(names=named, files=dict(zip(inodes, contents, strict=True)))

    def put_back(self, state: DiskState) -> None:
        """Make the real files what the state says, each inode the one it was."""
        for folder in self._names:
            for path in list(folder.iterdir()):
                if path.is_file():
                    path.unlink()
        for inode, data in state.files.items():
            (self.stash / str(inode)).write_bytes(data)
        for folder, entries in state.names.items():
            for name, inode in entries:
                (folder / name).hardlink_to(self.stash / str(inode))

    def state_now(self) -> DiskState:
        """Return what the files are now, as if all were durable: what a killed process leaves."""
        names = {folder: tuple(sorted(self._real_names(folder).items())) for folder in self._names}
        inodes = {inode for entries in names.values() for _, inode in entries}
        return DiskState(names=names, files={inode: (self.stash / str(inode)).read_bytes() for inode in inodes})

    # Inside

    def _step(self, call: str) -> None:
        self.calls.append(call)
        if self.stop_at is not None and len(self.calls) >= self.stop_at:
            raise PowerLoss(call)

    def _state(self, descriptor: int) -> FileState:
        return self._files[os.fstat(descriptor).st_ino]

    def _adopt_folder(self, folder: Path) -> None:
        self._names[folder] = self._real_names(folder)
        self._changes[folder] = []
        for name, inode in self._names[folder].items():
            self._keep(folder / name, inode)
            self._files[inode] = FileState(durable=(folder / name).read_bytes())

    def _keep(self, path: Path, inode: Inode) -> None:
        if not (self.stash / str(inode)).exists():
            (self.stash / str(inode)).hardlink_to(path)

    def _real_names(self, folder: Path) -> Names:
        return {path.name: path.stat().st_ino for path in folder.iterdir() if path.is_file()}

    def _names_after(self, folder: Path) -> list[Names]:
        """Return what the folder's names may be: any of the changes since the last fsync may have been lost."""
        results: dict[tuple[tuple[str, Inode], ...], Names] = {}
        changes = self._changes.get(folder, [])
        for kept in itertools.product((False, True), repeat=len(changes)):
            names = dict(self._names[folder])
            for (old, new, inode), keep in zip(changes, kept, strict=True):
                if keep and old is not None and names.get(old) == inode:
                    del names[old]
                if keep and new is not None:
                    names[new] = inode
            results[tuple(sorted(names.items()))] = names
        return list(results.values())


def _sectors(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    while data:
        room = SECTOR_BYTES - offset % SECTOR_BYTES
        yield offset, data[:room]
        data, offset = data[room:], offset + room


def _contents_after(file: FileState) -> list[bytes]:
    """Return what an inode's bytes may be: any unsynced sector old or new, any of its sizes since."""
    results = set()
    sizes = {len(file.durable), *file.sizes}
    for size, shortest, kept in itertools.product(sizes, sizes, _subsets(len(file.writes))):
        if shortest <= size:
            # A file that was cut and grew again shows zeros where the cut was kept and a write was lost.
            data = bytearray(file.durable[:shortest].ljust(size, b"\0"))
            for (offset, part), keep in zip(file.writes, kept, strict=True):
                if keep and offset < size:
                    data[offset : offset + len(part)] = part[: size - offset]
            results.add(bytes(data))
    return sorted(results)


def _subsets(count: int) -> Iterator[tuple[bool, ...]]:
    if count <= MAX_FREE_SECTORS:
        yield from itertools.product((False, True), repeat=count)
        return
    for cut in range(count + 1):
        yield tuple(index < cut for index in range(count))
        yield tuple(index >= cut for index in range(count))
    for lone in range(count):
        yield tuple(index == lone for index in range(count))
        yield tuple(index != lone for index in range(count))
