"""What every backup command begins with: definitions, class table, backup_root, and the backups in it, read when asked.

The command line and the steps both work from a ``Desk``.
"""

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path

import msgspec

from dce_play.backup.definitions.classes import ClassRow
from dce_play.backup.definitions.find import ReadDocument, find_modules, load_classes, load_definitions
from dce_play.backup.definitions.model import Module, secret_variables
from dce_play.backup.definitions.parse import Definitions
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.store.catalog import Catalog, Entry, find_backup, read_catalog
from dce_play.backup.store.root import check_safe_root
from dce_play.errors import DcePlayError
from dce_play.source import did_you_mean
from dce_play.system.clock import Clock

ROOT_VARIABLE = "DCE_BACKUP_ROOT"
DEFAULT_ROOT = Path("/opt/pdurlej-platform/backups")
BY_DEFAULT = frozenset({"E", "F", "G"})
"""The classes that ``--all`` takes; the others are an explicit decision."""
_OWN_COMMAND = re.compile(r"\bdce-play backup [a-z]+")


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are, as the command line or a step's params say; ``None``: not said."""

    folder: Path
    """The working folder. Absolute."""
    modules: Path | None = None
    backup_root: Path | None = None
    classes: Path | None = None

    def in_words(self, text: str) -> str:
        """Return a text whose commands name the places that were said, so that they find what this one has found."""
        said = {"--modules": self.modules, "--backup-root": self.backup_root, "--classes": self.classes}
        words = "".join(f" {option} {shlex.quote(str(place))}" for option, place in said.items() if place is not None)
        return _OWN_COMMAND.sub(lambda found: found[0] + words, text) if words else text


def places_of(folder: Path, modules: str, backup_root: str, classes: str) -> Places:
    """Return the places that a step's params name; an empty text says nothing."""
    return Places(
        folder=folder,
        modules=Path(modules) if modules else None,
        backup_root=Path(backup_root) if backup_root else None,
        classes=Path(classes) if classes else None,
    )


class Desk:
    """Reads each thing once, when it is asked for."""

    def __init__(self, places: Places, environment: Mapping[str, str], clock: Clock, read: ReadDocument) -> None:
        self._places = places
        self.in_words = places.in_words
        self._environment = environment
        self._clock = clock
        self._read = read

    @cached_property
    def rows(self) -> tuple[ClassRow, ...]:
        """Return the class table.

        Raises: InvalidDocument; UsageError.
        """
        named = self._places.classes
        return load_classes(self._places.folder / named if named else None, self._environment, self._read)

    @cached_property
    def definitions(self) -> Definitions:
        """Return all modules.

        Raises: InvalidDocument; UsageError; BackupError (``usage``).
        """
        place = find_modules(self._places.modules, self._environment, self._places.folder)
        return load_definitions(place, self.rows if place is not None else (), self._read)

    @cached_property
    def secret_variables(self) -> frozenset[str]:
        """Return the variables that definitions take secrets from; none where the definitions cannot be read."""
        try:
            modules = self.definitions.modules
        except DcePlayError:
            return frozenset()
        return frozenset(name for module in modules for name in secret_variables(module.keys))

    @cached_property
    def root(self) -> Path:
        """Return backup_root, absolute: the command line's, the environment's, the modules file's, or the usual one."""
        named = self._places.backup_root or self._environment.get(ROOT_VARIABLE)
        if named:
            return self._places.folder / named
        return Path(self.definitions.backup_root) if self.definitions.backup_root else DEFAULT_ROOT

    @property
    def now(self) -> datetime:
        return self._clock.now()

    def catalog(self) -> Catalog:
        """Return what lies in backup_root now.

        Raises: BackupError (``unsafe-root``): where others may write, nothing that lies there proves anything.
        """
        check_safe_root(self.root)
        return read_catalog(self.root, now=self._clock.now())

    def entry(self, reference: str) -> Entry:
        """Return the backup that a reference names.

        Raises: BackupError: ``not-found``; ``unsafe-root``, of a folder that is not ours alone.
        """
        if "/" not in reference or (self._places.folder / reference).parent == self.root:
            check_safe_root(self.root)
        return find_backup(reference, self.root, now=self._clock.now())

    def module(self, name: str) -> Module:
        """Return a defined module.

        Raises: BackupError (``not-found``).
        """
        found = self.definitions.named(name)
        if found is None:
            names = [module.name for module in self.definitions.modules]
            hint = did_you_mean(name, names) or "no modules are defined: name them with --modules"
            raise BackupError(ErrorId.NOT_FOUND, f'no module "{name}"', hint=hint)
        return found

    def known(self, names: Sequence[str], catalog: Catalog) -> tuple[str, ...]:
        """Return the modules of these names, or all that have a backup; known by definition or by backups.

        Raises: BackupError (``not-found``).
        """
        having = catalog.modules()
        for name in names:
            if name not in having:
                self.module(name)
        return tuple(names) or tuple(sorted(having))

    def chosen(
        self, names: Sequence[str], *, all_of_them: bool, classes: Collection[str], include_excluded: bool
    ) -> tuple[Module, ...]:
        """Return the modules that a run is for, in the order of their definitions, or of their names.

        ``all_of_them`` takes the classes E, F and G, or exactly those of ``classes``.

        Raises: BackupError (``not-found``, ``usage``).
        """
        if not names and not all_of_them:
            raise BackupError(ErrorId.USAGE, "no module is named", hint="name one, or say --all")
        if names and all_of_them:
            raise BackupError(ErrorId.USAGE, "modules are named, and --all too", hint="name some, or say --all alone")
        unknown = sorted(set(classes) - {row.name for row in self.rows})
        if unknown:
            hint = did_you_mean(unknown[0], {row.name for row in self.rows})
            raise BackupError(ErrorId.USAGE, f'no class "{unknown[0]}"', hint=hint)
        if names:
            named = tuple(self.module(name) for name in dict.fromkeys(names))
            other = next((each for each in named if classes and each.class_name not in classes), None)
            if other is not None:
                message = f"{other.name} is of the class {other.class_name}, not {' or '.join(sorted(classes))}"
                raise BackupError(ErrorId.USAGE, message, hint="name modules, or say --all with --class")
            return named
        wanted = frozenset(classes) or BY_DEFAULT
        found = [
            module
            for module in self.definitions.modules
            if module.class_name in wanted
            and module.keys.statefulness == "stateful"
            and (include_excluded or not module.is_excluded)
        ]
        if not found:
            raise BackupError(
                ErrorId.NOT_FOUND,
                f"no module of the classes {', '.join(sorted(wanted))} is defined",
                hint="dce-play backup audit",
            )
        return tuple(found)
