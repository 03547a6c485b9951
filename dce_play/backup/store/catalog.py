"""What lies in backup_root: backups, which of them are good, and what is left over of runs that died."""

import errno
import os
import stat
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.manifest import SUFFIX, Manifest, decode_manifest, encode_manifest
from dce_play.backup.store.names import manifest_name, part_name, part_of, split_name, stamp_time
from dce_play.backup.store.restore_note import RESTORE_NOTE, RestoreNote, read_note
from dce_play.backup.store.root import OURS
from dce_play.source import did_you_mean
from dce_play.system.durable.whole_files import sync_folder, write_atomic

QUIESCE_NOTE = ".quiesce.json"
"""How the note of a quiesced module ends, in our folder of backup_root."""
SAFETY = "safety"
_LARGEST_MANIFEST_BYTES = 16 << 20


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A backup with its manifest, as it lies there."""

    path: Path
    manifest: Manifest
    stored_bytes: int
    ended: datetime

    @property
    def file(self) -> str:
        return self.path.name

    @property
    def is_good(self) -> bool:
        """Return whether the backup is good: level 1 at least, no failed check, and its size is what it was."""
        return self.manifest.verification.holds and self.stored_bytes == self.manifest.bytes

    @property
    def is_safety(self) -> bool:
        return self.manifest.purpose == SAFETY


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a run that died has left, or that is no backup of ours."""

    path: Path
    kind: str
    """``part``, ``orphan-manifest``, ``no-manifest``, ``quiesce`` or ``restore``."""
    age_s: float
    detail: str = ""
    """What it means, for people, where the kind does not say it."""

    @property
    def module(self) -> str:
        """Return the module that it is of: what its name has before the last stamp, or before the end of a note's."""
        name = self.path.name
        if self.kind in {"quiesce", "restore"}:
            return name.removesuffix(QUIESCE_NOTE).removesuffix(RESTORE_NOTE)
        found = split_name(part_of(name) or name.removesuffix(SUFFIX))
        return "" if found is None else found.module


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in backup_root, backups newest first."""

    root: Path
    entries: tuple[Entry, ...]
    leftovers: tuple[Leftover, ...]
    restores: tuple[RestoreNote, ...] = ()
    """What was begun and has not ended."""

    def restore_of(self, module: str) -> RestoreNote | None:
        """Return the restore of a module that has not ended, or ``None``."""
        return next((each for each in self.restores if each.module == module), None)

    def left_by(self, module: str) -> tuple[Leftover, ...]:
        """Return what runs of a module that died have left of files."""
        return tuple(each for each in self.leftovers if each.kind == "part" and each.module == module)

    def of(self, module: str) -> tuple[Entry, ...]:
        """Return a module's backups, newest first."""
        return tuple(entry for entry in self.entries if entry.manifest.module == module)

    def modules(self) -> frozenset[str]:
        """Return the modules that have a backup."""
        return frozenset(entry.manifest.module for entry in self.entries)

    def newest_good(self, module: str) -> Entry | None:
        """Return a module's newest good regular backup, or ``None``."""
        return next((each for each in self.of(module) if each.is_good and not each.is_safety), None)


def read_catalog(root: Path, *, now: datetime) -> Catalog:
    """Return what lies in a folder; nothing where there is no folder. Locks nothing, changes nothing."""
    names = _names(root)
    known = frozenset(names)
    entries: list[Entry] = []
    leftovers: list[Leftover] = []
    for name in names:
        if part_of(name) is not None:
            leftovers.append(_leftover(root / name, "part", now))
        elif name.endswith(SUFFIX):
            data = name.removesuffix(SUFFIX)
            if data not in known and split_name(data) is not None:
                leftovers.append(_leftover(root / name, "orphan-manifest", now))
        elif split_name(name) is not None:
            path = root / name
            entry = read_entry(path) if manifest_name(name) in known else None
            if entry is None:
                leftovers.append(_leftover(path, "no-manifest", now))
            else:
                entries.append(entry)
    restores: list[RestoreNote] = []
    for name in _names(root / OURS):
        path = root / OURS / name
        if name.endswith(QUIESCE_NOTE):
            leftovers.append(_leftover(path, "quiesce", now))
        elif name.endswith(RESTORE_NOTE):
            note = read_note(path, module=name.removesuffix(RESTORE_NOTE))
            if note is not None:
                restores.append(note)
                detail = "; ".join((note.told(), *note.aside, note.way_out()))
                leftovers.append(msgspec.structs.replace(_leftover(path, "restore", now), detail=detail))
    entries.sort(key=lambda entry: (entry.ended, entry.file), reverse=True)
    return Catalog(root=root, entries=tuple(entries), leftovers=tuple(leftovers), restores=tuple(restores))


def read_entry(path: Path) -> Entry | None:
    """Return the backup at a path, or ``None`` when it has no manifest of ours that tells of this very file."""
    name = split_name(path.name)
    try:
        data = _read_plain(manifest_name(os.fspath(path)))
        size = path.lstat().st_size
        manifest = decode_manifest(data, name=manifest_name(path.name))
        ended = datetime.fromisoformat(manifest.ended)
    except (OSError, BackupError, ValueError):
        return None
    if name is None or manifest.file != path.name or manifest.module != name.module or ended.tzinfo is None:
        return None
    return Entry(path=path, manifest=manifest, stored_bytes=size, ended=ended)


def _read_plain(path: str) -> bytes:
    """Read a small plain file: no link is followed, and no pipe waited for.

    Raises: OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_MANIFEST_BYTES:
            raise OSError(errno.EINVAL, "it is no manifest", path)
        return os.read(descriptor, status.st_size)  # a file object would cost as much as opening and reading
    finally:
        os.close(descriptor)


def find_backup(reference: str, root: Path, *, now: datetime) -> Entry:
    """Return the backup that a reference names: a file name, a path, ``MODULE@latest`` or ``MODULE@<stamp>``.

    Raises: BackupError (``not-found``).
    """
    module, at, which = reference.rpartition("@")
    if at and "/" not in reference:
        return _by_module(module, which, read_catalog(root, now=now))
    path = Path(reference) if "/" in reference else root / reference
    entry = read_entry(path.absolute())
    if entry is None:
        catalog = read_catalog(root, now=now)
        known = [each.file for each in catalog.entries]
        there = "it has no manifest of ours" if os.path.lexists(path) else "there is none"
        is_module = path.name in catalog.modules()
        hint = f'did you mean "{path.name}@latest"?' if is_module else did_you_mean(path.name, known[:20])
        raise BackupError(ErrorId.NOT_FOUND, f"no backup {path}: {there}", hint=hint)
    return entry


def _by_module(module: str, which: str, catalog: Catalog) -> Entry:
    entries = catalog.of(module)
    if which == "latest":
        found = catalog.newest_good(module)
    else:
        found = next((each for each in entries if f"{module}-{which}." in each.file), None)
        if stamp_time(which) is None:
            found = None
    if found is not None:
        return found
    if not entries:
        hint = did_you_mean(module, catalog.modules())
        raise BackupError(ErrorId.NOT_FOUND, f"no backup of {module} in {catalog.root}", hint=hint)
    what = "no good backup" if which == "latest" else f"no backup {which}"
    raise BackupError(ErrorId.NOT_FOUND, f"{what} of {module} in {catalog.root}", hint=f"dce-play backup list {module}")


def rewrite_manifest(path: Path, manifest: Manifest) -> None:
    """Replace a backup's manifest atomically."""
    write_atomic(path.with_name(manifest_name(path.name)), encode_manifest(manifest), mode=0o600)


def remove_backups(root: Path, module: str, files: Sequence[str]) -> None:
    """Remove backups of a module: each becomes what a killed run leaves, and that is swept.

    So whoever dies in the middle leaves backups that are whole, and leftovers that the next sweep takes: never a
    manifest that tells of nothing, nor data that nobody knows. The caller holds the module's lock.

    Raises: BackupError (``write-failed``).
    """
    try:
        for name in files:
            (root / name).rename(root / part_name(name))
        sync_folder(root)  # no manifest goes before its data has lost its name for good
        sweep(root, module)
        sync_folder(root)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BackupError(
            ErrorId.WRITE_FAILED,
            f"cannot remove {error.filename}: {reason}",
            hint=f"dce-play backup list {module}, then prune again",
        ) from error


def sweep(root: Path, module: str) -> list[Path]:
    """Remove what killed runs of a module left: ``.part`` files, and before them the manifests that belong to them.

    The caller holds the module's lock. Returns what was removed.
    """
    names = frozenset(_names(root))
    removed = []
    for name in sorted(names):
        data = part_of(name)
        temporary = _temporary_of(name)
        owner = split_name(data or temporary or "")
        if owner is None or owner.module != module:
            continue
        gone = [root / name]
        if data is not None and data not in names and manifest_name(data) in names:
            gone.insert(0, root / manifest_name(data))
        for path in gone:
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def _temporary_of(name: str) -> str | None:
    """Return the data file whose manifest this temporary was to become, or ``None``."""
    inner, ending = name.removeprefix("."), ".tmp"
    if not name.startswith(".") or not name.endswith(ending) or SUFFIX not in inner:
        return None
    return inner[: inner.index(SUFFIX)]


def _names(folder: Path) -> Sequence[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _leftover(path: Path, kind: str, now: datetime) -> Leftover:
    try:
        age_s = max(0.0, now.timestamp() - path.lstat().st_mtime)
    except OSError:
        age_s = 0.0
    return Leftover(path=path, kind=kind, age_s=round(age_s, 3))
