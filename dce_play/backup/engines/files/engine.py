"""The engine ``files``: the folders of a module, or what its container mounts, as one tar with an index."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.backup.definitions.model import EncryptKeys, Module
from dce_play.backup.facts import (
    ContainerFacts,
    Drilled,
    EngineFacts,
    Health,
    PlanItem,
    Produced,
    RootFacts,
    SourceFacts,
)
from dce_play.backup.manifest import Manifest
from dce_play.backup.protocols import Container, DrillOptions, EngineSource, OpenBackup, Restoring, Services
from dce_play.backup.streams import Sink
from dce_play.backup.tree.check import tree_check
from dce_play.backup.tree.drill import drill_tree
from dce_play.backup.tree.mounted import (
    FORMAT,
    pack_roots,
    refuse_missing,
    roots_of_container,
    roots_of_paths,
    size_of,
)
from dce_play.backup.tree.pack import PackRules
from dce_play.backup.tree.restore import moves, refuse_unmovable, restore_in_place, restore_into_folder

_CONFIGURATION = ("settings.yml", "limiter.toml")
"""All that class F takes of a service without state of its own (searxng)."""
_ESTIMATE_S = 0.5
"""How long a real run looks around to see whether there is room; a dry run looks at everything."""


class FilesEngine:
    """Satisfies ``Engine``."""

    name = "files"

    def probe(self, _module: Module, _services: Services, /, *, timeout_s: float) -> Health:  # noqa: ARG002
        return Health.UNKNOWN

    def readiness(self, module: Module, /) -> tuple[str, ...]:
        keys = module.keys
        named = keys.files.paths or keys.container or module.runtime_container or module.runbook is not None
        return () if named else ("no data place",)

    @contextmanager
    def open(self, module: Module, services: Services, /, *, dry_run: bool, excluding: Path) -> Iterator[EngineSource]:
        container = services.container(module)
        roots = _roots(module, container)
        refuse_missing(roots, what=module.name)
        yield _FilesSource(module, container, roots, excluding, quick=not dry_run)

    def quiesce_places(self, module: Module, services: Services, /) -> tuple[str, ...]:
        return tuple(root.source for root in _roots(module, services.container(module)))

    def check(self, manifest: Manifest, _services: Services, /) -> Sink | None:
        return tree_check(manifest.counts)

    def drill(self, backup: OpenBackup, services: Services, options: DrillOptions, /) -> Drilled:
        return drill_tree(backup, services, options)

    def plan_restore(
        self, backup: OpenBackup, module: Module, services: Services, /, *, into: Path | None
    ) -> tuple[PlanItem, ...]:
        if into is not None:
            return tuple(PlanItem(what="write", detail=f"{into / root.label}") for root in backup.manifest.roots)
        present = _roots(module, services.container(module))
        found = moves(backup.manifest.roots, present)
        stopped = module.keys.quiesce.mode == "stop"
        refuse_unmovable(found, () if stopped else services.mounting(module, [root.source for root in present]))
        return tuple(
            PlanItem(what="replace", detail=f"{move.place}; what is there becomes {move.place.name}.before-<time>")
            for move in found
        )

    def restore(self, backup: OpenBackup, module: Module, services: Services, restoring: Restoring, /) -> None:
        present = _roots(module, services.container(module))
        found = moves(backup.manifest.roots, present)
        refuse_unmovable(found, services.mounting(module, [root.source for root in present]))
        restore_in_place(backup, found, restoring)

    def restore_into(self, backup: OpenBackup, folder: Path, _services: Services, /) -> None:
        restore_into_folder(backup, folder)


class _FilesSource:
    """Satisfies ``EngineSource``."""

    extension = "tar"
    is_compressible = True

    def __init__(
        self, module: Module, container: Container | None, roots: tuple[RootFacts, ...], excluding: Path, *, quick: bool
    ) -> None:
        self._module = module
        self._container = container
        self._roots = roots
        self._excluding = excluding
        self._quick = quick

    def estimate_bytes(self) -> int | None:
        return size_of(self._roots, within_s=_ESTIMATE_S if self._quick else None)

    def check(self) -> Sink | None:
        return tree_check(None)

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:
        keys = self._module.keys
        rules = PackRules(
            exclude=keys.files.exclude,
            only=_CONFIGURATION if self._module.class_name == "F" and not keys.files.paths else (),
            one_file_system=keys.files.one_file_system,
            sqlite=keys.files.sqlite,
            off_disk=keys.encrypt != EncryptKeys(),
            fail_on_change=quiesced or keys.on_change == "fail",
            not_below=self._excluding,
        )
        counts, consistency, warnings = pack_roots(self._roots, out, rules, quiesced=quiesced)
        return Produced(
            engine=EngineFacts(name=FilesEngine.name),
            source=_source(self._container, self._roots),
            format=FORMAT,
            consistency=consistency,
            counts=counts.plain(),
            roots=self._roots,
            warnings=warnings,
        )


def _roots(module: Module, container: Container | None) -> tuple[RootFacts, ...]:
    if module.keys.files.paths:
        return roots_of_paths(module.keys.files.paths)
    return roots_of_container(container) if container is not None else ()


def _source(container: Container | None, roots: tuple[RootFacts, ...]) -> SourceFacts:
    if container is None:
        return SourceFacts(kind="path", where=", ".join(root.source for root in roots))
    facts = ContainerFacts(name=container.name, image=container.image, image_digest=container.image_digest)
    kind = "path" if all(root.type == "path" for root in roots) else "container"
    return SourceFacts(kind=kind, where=container.name, container=facts)


ENGINE = FilesEngine()
