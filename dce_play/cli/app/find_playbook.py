"""Which file a playbook's path or bare name means."""

from pathlib import Path

from dce_play.playbook.lint.files import has_steps_of_ours
from dce_play.playbook.plan.selection import NothingChosen
from dce_play.resources import playbooks_folder
from dce_play.source import did_you_mean

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
    here = {path.stem for path in folder.glob("*.y*ml") if has_steps_of_ours(path)}
    return sorted(here | {path.stem for shelf in shelves for path in shelf.glob("*.y*ml")})
