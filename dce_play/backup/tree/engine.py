"""The engines whose backup is one tar of folders with an index: all but which folders, and what else is told."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from dce_play.backup.definitions.model import EncryptKeys, Module
from dce_play.backup.facts import Drilled, PlanItem, Produced, RootFacts
from dce_play.backup.manifest import Manifest
from dce_play.backup.protocols import DrillOptions, OpenBackup, Restoring, Services
from dce_play.backup.streams import Sink
from dce_play.backup.tree.check import tree_check
from dce_play.backup.tree.drill import drill_tree
from dce_play.backup.tree.mounted import size_of
from dce_play.backup.tree.pack import PackRules
from dce_play.backup.tree.restore import Move, moves, refuse_unmovable, restore_in_place, restore_into_folder

_ESTIMATE_S = 0.5
"""How long a real run looks around to see whether there is room; a dry run looks at everything."""


class TreeEngine(ABC):
    """The part of an ``Engine`` that is the same for all folders."""

    @abstractmethod
    def roots(self, module: Module, services: Services, /) -> tuple[RootFacts, ...]:
        """Return the folders as they are named now. Raises: BackupError."""

    def quiesce_places(self, module: Module, services: Services, /) -> tuple[str, ...]:
        return tuple(root.source for root in self.roots(module, services))

    def check(self, manifest: Manifest, _services: Services, /) -> Sink | None:
        return tree_check(manifest.counts)

    def drill(self, backup: OpenBackup, services: Services, options: DrillOptions, /) -> Drilled:
        return drill_tree(backup, services, options)

    def plan_restore(
        self, backup: OpenBackup, module: Module, services: Services, /, *, into: Path | None
    ) -> tuple[PlanItem, ...]:
        if into is not None:
            return tuple(PlanItem(what="write", detail=f"{into / root.label}") for root in backup.manifest.roots)
        present = self.roots(module, services)
        found = moves(backup.manifest.roots, present)
        stopped = module.keys.quiesce.mode == "stop"
        refuse_unmovable(found, () if stopped else services.mounting(module, _touched(present, found)))
        return tuple(
            PlanItem(what="replace", detail=f"{move.place}; what is there becomes {move.place.name}.before-<time>")
            for move in found
            if move.holder is None  # the others lie in one of these
        )

    def restore(self, backup: OpenBackup, module: Module, services: Services, restoring: Restoring, /) -> None:
        present = self.roots(module, services)
        found = moves(backup.manifest.roots, present)
        refuse_unmovable(found, services.mounting(module, _touched(present, found)))
        restore_in_place(backup, found, restoring)

    def restore_into(self, backup: OpenBackup, folder: Path, _services: Services, /) -> None:
        restore_into_folder(backup, folder)


def _touched(present: Sequence[RootFacts], found: Sequence[Move]) -> list[str]:
    """Return the roots as they are named, and what would be renamed: of a link that is another place."""
    return list(dict.fromkeys([*(root.source for root in present), *(str(move.place) for move in found)]))


class TreeSource(ABC):
    """The part of an ``EngineSource`` that is the same for all folders."""

    extension = "tar"
    is_compressible = True

    def __init__(self, module: Module, roots: tuple[RootFacts, ...], excluding: Path, *, dry_run: bool) -> None:
        self.keys = module.keys
        self.roots = roots
        self._excluding = excluding
        self._dry_run = dry_run

    def estimate_bytes(self) -> int | None:
        return size_of(self.roots, within_s=None if self._dry_run else _ESTIMATE_S)

    def check(self) -> Sink | None:
        return tree_check(None)

    @abstractmethod
    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:
        """Write the tar. See ``EngineSource.produce``."""

    def rules(self, *, exclude: tuple[str, ...], quiesced: bool) -> PackRules:
        """Return what holds for the tar of any folders, with what is left out of this one."""
        return PackRules(
            exclude=exclude,
            off_disk=self.keys.encrypt != EncryptKeys(),
            fail_on_change=quiesced or self.keys.on_change == "fail",
            not_below=self._excluding,
        )
