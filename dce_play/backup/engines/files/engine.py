"""The engine ``files``: the folders of a module, or what its container mounts, as one tar with an index."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import Module
from dce_play.backup.facts import (
    ContainerFacts,
    EngineFacts,
    Health,
    Produced,
    RootFacts,
    SourceFacts,
)
from dce_play.backup.protocols import Container, EngineSource, Services
from dce_play.backup.streams import Sink
from dce_play.backup.tree.engine import TreeEngine, TreeSource
from dce_play.backup.tree.mounted import (
    FORMAT,
    pack_roots,
    refuse_missing,
    roots_of_container,
    roots_of_paths,
)

_CONFIGURATION = ("settings.yml", "limiter.toml")
"""All that class F takes of a service without state of its own (searxng)."""


class FilesEngine(TreeEngine):
    """Satisfies ``Engine``."""

    name = "files"

    def probe(self, _module: Module, _services: Services, /, *, timeout_s: float) -> Health:  # noqa: ARG002
        return Health.UNKNOWN

    def readiness(self, module: Module, /) -> tuple[str, ...]:
        keys = module.keys
        named = keys.files.paths or keys.container or module.runtime_container or module.runbook is not None
        return () if named else ("no data place",)

    def roots(self, module: Module, services: Services, /) -> tuple[RootFacts, ...]:
        return _roots(module, services.container(module))

    @contextmanager
    def open(self, module: Module, services: Services, /, *, dry_run: bool, excluding: Path) -> Iterator[EngineSource]:
        container = services.container(module)
        roots = _roots(module, container)
        refuse_missing(roots, what=module.name)
        yield _FilesSource(module, container, roots, excluding, dry_run=dry_run)


class _FilesSource(TreeSource):
    """Satisfies ``EngineSource``."""

    def __init__(
        self,
        module: Module,
        container: Container | None,
        roots: tuple[RootFacts, ...],
        excluding: Path,
        *,
        dry_run: bool,
    ) -> None:
        super().__init__(module, roots, excluding, dry_run=dry_run)
        self._container = container
        self._only = _CONFIGURATION if module.class_name == "F" and not module.keys.files.paths else ()

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:
        files = self.keys.files
        rules = msgspec.structs.replace(
            self.rules(exclude=files.exclude, quiesced=quiesced),
            only=self._only,
            one_file_system=files.one_file_system,
            sqlite=files.sqlite,
        )
        counts, consistency, warnings = pack_roots(self.roots, out, rules, quiesced=quiesced)
        return Produced(
            engine=EngineFacts(name=FilesEngine.name),
            source=_source(self._container, self.roots),
            format=FORMAT,
            consistency=consistency,
            counts=counts.plain(),
            roots=self.roots,
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
