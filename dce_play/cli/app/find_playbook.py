"""Which file a playbook's path or bare name means."""

import re
from pathlib import Path

from dce_play.playbook.plan.selection import NothingChosen
from dce_play.resources import playbooks_folder
from dce_play.source import did_you_mean

_STEPS = re.compile(rb"^steps\s*:", re.MULTILINE)
_LOOKED_AT_BYTES = 64 << 10
_SUFFIXES = (".yml", ".yaml")


def find_playbook(name: str, folder: Path) -> Path:
    """Return the playbook: a file by path, else by bare name in the folder, its ``playbooks``, or those shipped.

    Raises: NothingChosen.
    """
    path = folder / name
    if path.is_file():
        return path.absolute()
    shelves = (folder, folder / "playbooks", playbooks_folder())
    if "/" not in name:
        stem = name.removesuffix(".yml").removesuffix(".yaml")
        for shelf in shelves:
            for suffix in _SUFFIXES:
                found = shelf / f"{stem}{suffix}"
                if found.is_file():
                    return found.absolute()
    raise NothingChosen(f"no playbook {name}", hint=did_you_mean(name, playbook_names(folder)))


def playbook_names(folder: Path) -> list[str]:
    """Return the bare names that ``run`` knows in this folder, for lists, completion and hints.

    In the folder itself, where any YAML may lie, a playbook is what has ``steps``.
    """
    shelves = (folder / "playbooks", playbooks_folder())
    here = {path.stem for path in folder.glob("*.y*ml") if _has_steps(path)}
    return sorted(here | {path.stem for shelf in shelves for path in shelf.glob("*.y*ml")})


def _has_steps(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _STEPS.search(file.read(_LOOKED_AT_BYTES)) is not None
    except OSError:
        return False
