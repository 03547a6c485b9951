"""A drill of an archive of folders: unpacked into a temporary folder, then every file looked at again."""

import hashlib
import json
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any

from dce_play.backup.drills import differences, drill_folder
from dce_play.backup.facts import Difference, Drilled, EngineFacts
from dce_play.backup.protocols import DrillOptions, OpenBackup, Services
from dce_play.backup.streams import CHUNK_BYTES, SourceFile
from dce_play.backup.tree.unpack import TreeUnpacker, UnpackRules
from dce_play.source import JsonValue

_MOST_NAMED = 20


def drill_tree(backup: OpenBackup, services: Services, options: DrillOptions) -> Drilled:
    """Unpack a backup, compare what came of it with its index and with the manifest, and leave nothing.

    Raises: BackupError (``truncated``, ``verify-failed``, ``write-failed``).
    """
    with drill_folder(services, options) as folder:
        data, index = folder / "data", folder / "index.jsonl"
        data.mkdir(mode=0o700)
        _unpack(backup, data, index)
        expected: dict[str, JsonValue] = dict.fromkeys(("files", "folders", "links", "bytes", "contents"), 0)
        unlike: list[Difference] = []
        wrong = 0
        with index.open("rb") as lines:
            for line in lines:
                row = json.loads(line)
                _count(expected, row)
                found = _compare(os.fsencode(data), row)
                if found is not None:
                    wrong += row["type"] == "file"
                    if len(unlike) < _MOST_NAMED:
                        unlike.append(found)
        labels = {root.label for root in backup.manifest.roots}
        outermost = [label for label in labels if labels.isdisjoint(map(str, PurePosixPath(label).parents))]
        restored = _walked([data / label for label in outermost])
        restored["contents"] = _number(restored["files"]) - wrong
        unlike += differences(expected, restored)
        counts = backup.manifest.counts
        for key in ("files", "folders", "links", "bytes"):
            if key in counts and counts[key] != restored[key]:
                unlike.append(Difference(what=f"{key} of the manifest", expected=counts[key], restored=restored[key]))
        return Drilled(
            engine=EngineFacts(name=backup.manifest.engine.name),
            expected=expected,
            restored=restored,
            differences=tuple(unlike),
            kept=str(folder) if options.keep else "",
        )


def _unpack(backup: OpenBackup, data: Path, index: Path) -> None:
    top = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with index.open("wb", buffering=0) as lines, backup.plain() as source:
            rules = UnpackRules(owners=False, attributes=False, index_to=lines.fileno())
            TreeUnpacker(top, rules).unpack(SourceFile(source).read)
            source.finish()
    finally:
        os.close(top)


def _count(counts: dict[str, JsonValue], row: dict[str, Any]) -> None:
    kind = row["type"]
    key = {"file": "files", "pipe": "files", "folder": "folders"}.get(kind, "links")
    counts[key] = _number(counts[key]) + 1
    if kind == "file":
        counts["bytes"] = _number(counts["bytes"]) + row["size"]
    if key == "files":
        counts["contents"] = _number(counts["contents"]) + 1


def _compare(top: bytes, row: dict[str, Any]) -> Difference | None:
    """Return in what a restored entry differs from its line, or ``None``."""
    name = row["path"]
    path = top + b"/" + name.encode("utf-8", "surrogateescape")
    try:
        status = os.lstat(path)
    except OSError:
        return Difference(what=name, expected=row["type"], restored=None)
    mode = stat.S_IMODE(status.st_mode)
    if row["type"] != "symlink" and mode != row["mode"]:
        return Difference(what=f"mode of {name}", expected=f"{row['mode']:04o}", restored=f"{mode:04o}")
    if row["type"] != "file":
        return None
    if status.st_size != row["size"]:
        return Difference(what=f"size of {name}", expected=row["size"], restored=status.st_size)
    found = _sum(path, data_only="holes" in row)
    if found != row["sha256"]:
        return Difference(what=f"sha256 of {name}", expected=row["sha256"], restored=found)
    return None


def _sum(path: bytes, *, data_only: bool) -> str:
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        at, size = 0, os.fstat(descriptor).st_size
        while at < size:
            if data_only:
                try:
                    at = os.lseek(descriptor, at, os.SEEK_DATA)
                except OSError:
                    break
                end = os.lseek(descriptor, at, os.SEEK_HOLE)
            else:
                end = size
            part = os.pread(descriptor, min(CHUNK_BYTES, end - at), at)
            digest.update(part)
            at += len(part)
    finally:
        os.close(descriptor)
    return digest.hexdigest()


def _walked(roots: list[Path]) -> dict[str, JsonValue]:
    """Count what lies on the disk, the way the archive counted it: a file's further names are links."""
    files = folders = links = size = 0
    seen: set[tuple[int, int]] = set()
    stack = [os.fsencode(root) for root in roots]
    while stack:
        path = stack.pop()
        try:
            status = os.lstat(path)
        except OSError:
            continue
        if stat.S_ISDIR(status.st_mode):
            folders += 1
            os.chmod(path, status.st_mode | 0o700)  # noqa: PTH101 - bytes; a copy that may be closed to us
            stack += [path + b"/" + os.fsencode(name) for name in os.listdir(path)]  # noqa: PTH208 - bytes
        elif stat.S_ISLNK(status.st_mode) or (status.st_nlink > 1 and (status.st_dev, status.st_ino) in seen):
            links += 1
        else:
            files += 1
            size += status.st_size
            if status.st_nlink > 1:
                seen.add((status.st_dev, status.st_ino))
    return {"files": files, "folders": folders, "links": links, "bytes": size}


def _number(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
