"""Where definitions are: an operator's tree, or our modules file; and the class tables that classify them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dce_play.backup.definitions.classes import ClassRow, join_classes, read_classes
from dce_play.backup.definitions.model import Module
from dce_play.backup.definitions.parse import (
    Definitions,
    is_theirs,
    read_modules_file,
    read_tree_module,
    second_of_a_name,
)
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.source import Document, InvalidDocument, Pointer, Problem


class ReadDocument(Protocol):
    """Reads a YAML or JSON file: the core knows no YAML. Says nothing of how values are written that are ``theirs``."""

    def __call__(self, path: Path, /, *, theirs: Callable[[Pointer], bool] | None = None) -> Document: ...


MODULES_VARIABLE = "DCE_BACKUP_MODULES"
CLASSES_VARIABLE = "DCE_BACKUP_CLASSES"
_OWN_CLASSES = Path(__file__).resolve().parent.parent / "classes.yaml"
MODULE_FILE = "module.yaml"
"""Of an operator's tree: most of it is theirs."""
_USUAL = ("modules", "backup.yml")


def load_classes(named: Path | None, environment: Mapping[str, str], read: ReadDocument) -> tuple[ClassRow, ...]:
    """Return the class table: an operator's file first, then ours.

    Raises: InvalidDocument; UsageError, when a file cannot be read.
    """
    path = named or (Path(environment[CLASSES_VARIABLE]) if environment.get(CLASSES_VARIABLE) else None)
    ours = read_classes(read(_OWN_CLASSES), source="dce-play")
    return join_classes(read_classes(read(path), source=str(path)) if path is not None else (), ours)


def find_modules(named: Path | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    """Return the file or the folder of definitions, or ``None`` where there is none.

    Raises: BackupError (``usage``), for a place that is named and not there.
    """
    variable = environment.get(MODULES_VARIABLE)
    place = named or (Path(variable) if variable else None)
    if place is None:
        return next((folder / name for name in _USUAL if (folder / name).exists()), None)
    place = folder / place
    if not place.exists():
        raise BackupError(ErrorId.USAGE, f"no modules in {place}: there is no such file or folder")
    return place


def load_definitions(place: Path | None, rows: Sequence[ClassRow], read: ReadDocument) -> Definitions:
    """Return all modules of a place; none where there is no place.

    Raises: InvalidDocument, with the problems of all files; UsageError, when a file cannot be read.
    """
    if place is None:
        return Definitions()
    if not place.is_dir():
        return read_modules_file(read(place), rows)
    files = sorted(place.glob(f"*/{MODULE_FILE}")) or sorted(place.glob(f"modules/*/{MODULE_FILE}"))
    modules: dict[str, Module] = {}
    problems: list[Problem] = []
    texts: dict[Path, str] = {}
    for path in files:
        try:
            document = read(path, theirs=is_theirs)
        except InvalidDocument as error:
            problems += error.problems
            texts |= error.texts
            continue
        module, reader = read_tree_module(document, rows)
        if module is not None and module.name in modules:
            second_of_a_name(reader, module.name, Path(modules[module.name].source))
        elif module is not None:
            modules[module.name] = module
        if reader.problems:
            problems += reader.problems
            texts[document.path] = reader.shown_text()
    if problems:
        raise InvalidDocument(problems, texts)
    return Definitions(modules=tuple(modules.values()))
