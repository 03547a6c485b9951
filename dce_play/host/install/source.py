"""Our own sources brought to where the services run them from.

What the last installation put there and the sources no longer have is removed, as stale modules would still be
imported; what somebody else put there is never touched.
"""

import filecmp
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from dce_play.host.install.files import Action
from dce_play.system.durable.whole_files import write_atomic

LIST_NAME = ".dce-play-installed.json"
_LEFT_OUT = {
    ".git", ".venv", "venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
    ".import_linter_cache", ".nox", "build", "mutants",
}  # fmt: skip
"""What Git and the developers' tools leave in a checkout: the environments of ``inv matrix`` alone are 1 GB."""


def same_folder(source: Path, prefix: Path) -> bool:
    """Return whether two paths, through links too, are one folder."""
    return prefix.exists() and source.resolve() == prefix.resolve()


def sync(source: Path, prefix: Path, *, dry_run: bool) -> Action:
    """Bring the prefix up to date with the sources and return what that took."""
    if same_folder(source, prefix):
        return Action.UNCHANGED
    fresh = not prefix.is_dir()
    names = sorted(_files(source))
    changed = [name for name in names if _differs(source / name, prefix / name)]
    stale = [name for name in _listed(prefix) if name not in set(names) and (prefix / name).is_file()]
    if not dry_run and (changed or stale or fresh):
        for name in changed:
            _copy(source / name, prefix / name)
        for name in stale:
            (prefix / name).unlink()
        write_atomic(prefix / LIST_NAME, json.dumps(names).encode())
    if fresh:
        return Action.CREATED
    return Action.UPDATED if changed or stale else Action.UNCHANGED


def _files(source: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        for name in files:
            path = Path(folder, name)
            if path.is_file() and name not in {LIST_NAME, ".git"}:
                yield os.fspath(path.relative_to(source))


def _differs(source: Path, copy: Path) -> bool:
    return not copy.is_file() or not filecmp.cmp(source, copy, shallow=False)


def _copy(source: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
    temporary = copy.with_name(f".{copy.name}.dce-new")
    shutil.copyfile(source, temporary)
    temporary.chmod(mode)
    temporary.replace(copy)


def _listed(prefix: Path) -> list[str]:
    try:
        names = json.loads((prefix / LIST_NAME).read_bytes())
    except (FileNotFoundError, ValueError):
        return []
    inside = [name for name in names if isinstance(name, str) and ".." not in Path(name).parts]
    return [name for name in inside if not Path(name).is_absolute()]
