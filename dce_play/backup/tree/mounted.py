"""Folders of a module as one tar: its paths, or what its container mounts. Engines fall back to it."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from dce_play.backup.errors import BackupError, ErrorId, WarningId
from dce_play.backup.facts import Consistency, RootFacts, Warned
from dce_play.backup.protocols import Container
from dce_play.backup.streams import Sink
from dce_play.backup.tree.index import Counts
from dce_play.backup.tree.pack import Packed, PackRules, TreePacker
from dce_play.errors import ExitCode
from dce_play.system.counted import counted

FORMAT = "tar"


def roots_of_paths(paths: Sequence[str]) -> tuple[RootFacts, ...]:
    """Return a root a path, and none twice; its label is the path without the leading slash."""
    return tuple(
        RootFacts(label=path.strip("/") or "root", source=path, destination=path, type="path")
        for path in dict.fromkeys(os.path.normpath(each) for each in paths)
    )


def roots_of_container(container: Container) -> tuple[RootFacts, ...]:
    """Return a root a mount; its label is the destination without the leading slash."""
    return tuple(
        RootFacts(
            label=mount.destination.strip("/"), source=mount.source, destination=mount.destination, type=mount.type
        )
        for mount in container.mounts
        if mount.type in {"bind", "volume"}
    )


def refuse_missing(roots: Sequence[RootFacts], *, what: str) -> None:
    """Refuse roots that are not there, or none at all, before anything is touched.

    Raises: BackupError (``not-found``, exit 4).
    """
    if not roots:
        raise BackupError(
            ErrorId.NOT_FOUND,
            f"{what} has no data place",
            hint="name its folders with files.paths, or its container",
            exit_code=ExitCode.PREFLIGHT,
        )
    for root in roots:
        path = Path(root.source)
        if not path.exists() or not os.access(path, os.R_OK):
            raise BackupError(
                ErrorId.NOT_FOUND,
                f"the root {root.source} of {what} is not there, or cannot be read",
                hint="is the path right, and the volume mounted?",
                exit_code=ExitCode.PREFLIGHT,
            )


def pack_roots(
    roots: Sequence[RootFacts], out: Sink, rules: PackRules, *, quiesced: bool
) -> tuple[Counts, Consistency, tuple[Warned, ...]]:
    """Write roots as a tar with its index; return what it holds, how consistent it is, and what to warn of.

    Raises: BackupError: ``not-found``, ``incomplete``, ``changed``, ``engine-failed``.
    """
    packed = TreePacker(out, rules).pack(roots)
    if quiesced:
        return packed.counts, Consistency.QUIESCED, ()
    if not packed.changed and not packed.vanished:
        return packed.counts, Consistency.LIVE, ()
    return packed.counts, Consistency.LIVE_CHANGED, (Warned(id=WarningId.LIVE_CHANGED, message=_told(packed)),)


def size_of(roots: Sequence[RootFacts], *, within_s: float | None = None) -> int:
    """Return about how many bytes the roots' files occupy; with a time limit, how many were seen until then."""
    deadline = None if within_s is None else time.monotonic() + within_s
    total = 0
    seen: set[tuple[int, int]] = set()
    for root in _outermost(roots):
        if not Path(root.source).is_dir():
            total += Path(root.source).lstat().st_size if Path(root.source).exists() else 0
        for folder, _, names in os.walk(root.source):
            if deadline is not None and time.monotonic() > deadline:
                return total
            for name in names:
                try:
                    status = os.lstat(os.path.join(folder, name))  # noqa: PTH118 - 100,000 times
                except OSError:
                    continue
                if status.st_nlink > 1:
                    if (status.st_dev, status.st_ino) in seen:
                        continue
                    seen.add((status.st_dev, status.st_ino))
                total += min(status.st_size, status.st_blocks * 512 + 512)
    return total


def _outermost(roots: Sequence[RootFacts]) -> list[RootFacts]:
    """Return the roots that lie in no other: whoever walks those has seen all."""
    sources = {root.source for root in roots}
    return [root for root in roots if sources.isdisjoint(map(str, Path(root.source).parents))]


def _told(packed: Packed) -> str:
    counts = packed.counts
    names = ", ".join((*packed.changed, *packed.vanished)[:5])
    return f"{counted(counts.changed, 'file')} changed and {counts.vanished} vanished while they were read: {names}"
