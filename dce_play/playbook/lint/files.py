"""Which files below a folder are ours to look at: a repository has YAML of many others.

A file that is named is always looked at. In a folder, what is ours shows by its place, its name or what it says.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dce_play.errors import DcePlayError, ExitCode
from dce_play.resources import schemas_folder

SUFFIXES = frozenset({".yml", ".yaml"})
TARGETS_NAMES = frozenset({"scrape-targets.yml", "scrape-targets.yaml", "scrape-targets.json"})
_PASSED_OVER = frozenset({"node_modules", "__pycache__", "site-packages", "venv"})
_LOOKED_AT_BYTES = 256 << 10

_MODELINE = re.compile(rb"\$schema=\S*(?:playbook|role|targets)\.schema\.json")
_TARGETS = re.compile(rb"^archive_root\s*:", re.MULTILINE)
_STEPS = re.compile(rb"^steps\s*:", re.MULTILINE)
_STEP = re.compile(rb"^\s*(?:- +)?(?:[a-z_]+\.[a-z_]+|role|playbook|block)\s*:|\{\s*[a-z_]+\.[a-z_]+\s*:", re.MULTILINE)
_ANSIBLE = re.compile(rb"^- +(?:\w+\s*:.*\n +)*(?:hosts|(?:ansible\.builtin\.)?import_playbook)\s*:", re.MULTILINE)


class NothingToLint(DcePlayError):
    """A path does not exist, or nothing below it can be linted."""

    exit_code = ExitCode.NOTHING_SELECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What lint takes of a path."""

    files: tuple[Path, ...]
    left_out: int
    """How many YAML files below it are somebody else's."""


def files_of(path: Path) -> Found:
    """Return the file itself, or what is ours below the folder, in order; hidden folders are passed over.

    Raises: NothingToLint.
    """
    path = path.absolute()
    if path.is_file():
        return Found(files=(path,), left_out=0)
    if not path.is_dir():
        raise NothingToLint(f"no file or folder {path}")
    candidates = sorted(_candidates(path))
    ours = tuple(file for file in candidates if _is_ours(file, path))
    if not ours:
        hint = "a playbook lies in playbooks/ or has steps: with a step of ours; a file that is named is always read"
        raise NothingToLint(f"nothing of ours to lint in {path}", hint=hint)
    return Found(files=ours, left_out=len(candidates) - len(ours))


def has_steps_of_ours(path: Path) -> bool:
    """Return whether a YAML file is a playbook or role of ours, by its first 256 KiB."""
    data = _head(path)
    return _STEPS.search(data) is not None and _STEP.search(data) is not None


def _candidates(top: Path) -> Iterator[Path]:
    own_schemas = {path.name for path in schemas_folder().glob("*.schema.json")}
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _PASSED_OVER]
        for name in names:
            path = Path(folder) / name
            known = path.suffix in SUFFIXES or name in TARGETS_NAMES or name in own_schemas
            if known and not name.startswith(".") and path.is_file():
                yield path


def _is_ours(path: Path, top: Path) -> bool:
    if path.suffix not in SUFFIXES or path.name in TARGETS_NAMES:
        return True
    data = _head(path)
    if _MODELINE.search(data) or _TARGETS.search(data):
        return True
    folders = (top.name, *path.relative_to(top).parts[:-1])
    if "playbooks" in folders or path.stem == "role":
        return _ANSIBLE.search(data) is None
    return _STEPS.search(data) is not None and _STEP.search(data) is not None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LOOKED_AT_BYTES)
    except OSError:
        return b""
