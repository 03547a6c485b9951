"""The engine ``compose``: the folder of a compose project, with the hash of its configuration and its images."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.backup.definitions.model import Module
from dce_play.backup.errors import BackupError, WarningId
from dce_play.backup.facts import (
    ComposeFacts,
    EngineFacts,
    Health,
    ImageFacts,
    Produced,
    RootFacts,
    SourceFacts,
    Warned,
)
from dce_play.backup.protocols import EngineSource, Services
from dce_play.backup.streams import Sink
from dce_play.backup.tree.engine import TreeEngine, TreeSource
from dce_play.backup.tree.mounted import FORMAT, pack_roots, refuse_missing, roots_of_paths
from dce_play.errors import DcePlayError
from dce_play.system.process.executor import Command

_PATIENCE_S = 60.0
_IMAGE = re.compile(r"^\s+image:\s*[\"']?([^\s\"']+)", re.MULTILINE)


class ComposeEngine(TreeEngine):
    """Satisfies ``Engine``."""

    name = "compose"

    def probe(self, module: Module, services: Services, /, *, timeout_s: float) -> Health:  # noqa: ARG002
        try:
            containers = services.compose_containers(module, module.project)
        except BackupError:
            return Health.UNHEALTHY
        if not containers:
            return Health.UNKNOWN
        well = all(each.running and not each.paused and each.healthy != "unhealthy" for each in containers)
        return Health.HEALTHY if well else Health.UNHEALTHY

    def readiness(self, module: Module, /) -> tuple[str, ...]:
        return () if module.keys.compose.project_root else ("no data place: compose.project_root",)

    def roots(self, module: Module, _services: Services, /) -> tuple[RootFacts, ...]:
        root = module.keys.compose.project_root
        return roots_of_paths([str(module.folder / root)]) if root else ()

    @contextmanager
    def open(self, module: Module, services: Services, /, *, dry_run: bool, excluding: Path) -> Iterator[EngineSource]:
        roots = self.roots(module, services)
        refuse_missing(roots, what=module.name)
        services.compose_containers(module, module.project)  # an engine that does not answer is told before all else
        yield _ComposeSource(module, services, roots, excluding, dry_run=dry_run)


class _ComposeSource(TreeSource):
    """Satisfies ``EngineSource``."""

    def __init__(
        self, module: Module, services: Services, roots: tuple[RootFacts, ...], excluding: Path, *, dry_run: bool
    ) -> None:
        super().__init__(module, roots, excluding, dry_run=dry_run)
        self._module = module
        self._services = services

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:
        compose, warnings = self._configuration()
        rules = self.rules(exclude=self.keys.compose.exclude, quiesced=quiesced)
        counts, consistency, more = pack_roots(self.roots, out, rules, quiesced=quiesced)
        return Produced(
            engine=EngineFacts(name=ComposeEngine.name),
            source=SourceFacts(kind="path", where=self.roots[0].source),
            format=FORMAT,
            consistency=consistency,
            counts=counts.plain(),
            roots=self.roots,
            compose=compose,
            warnings=(*warnings, *more),
        )

    def _configuration(self) -> tuple[ComposeFacts, tuple[Warned, ...]]:
        """Return the hash of what the compose program makes of the files; the text itself has secrets, and goes."""
        keys = self.keys.compose
        options = [word for name in keys.files for word in ("-f", name)]
        if keys.project:
            options += ["-p", keys.project]
        said = "neither docker compose nor podman-compose is there"
        for program in _programs():
            command = Command(argv=(*program, *options, "config"), cwd=Path(keys.project_root), timeout_s=_PATIENCE_S)
            try:
                finished = self._services.executor.run(command)
            except DcePlayError as error:
                said = str(error)
                continue
            if finished.exit_code == 0 and finished.stdout.strip():
                digest = hashlib.sha256(finished.stdout.encode()).hexdigest()
                return ComposeFacts(compose_config_sha256=digest, images=self._images(finished.stdout)), ()
            said = f"{' '.join(program)} config ended with exit code {finished.exit_code}"
        warning = Warned(id=WarningId.COMPOSE_DIGEST_UNKNOWN, message=f"the configuration has no hash: {said}")
        return ComposeFacts(compose_config_sha256="", images=self._images("")), (warning,)

    def _images(self, text: str) -> tuple[ImageFacts, ...]:
        found = {
            each.image: each.image_digest
            for each in self._services.compose_containers(self._module, self._module.project)
        }
        for name in _IMAGE.findall(text):
            found.setdefault(name, "")
        return tuple(ImageFacts(name=name, digest=found[name]) for name in sorted(found))


def _programs() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    if shutil.which("docker"):
        found.append(("docker", "compose"))
    if shutil.which("podman-compose"):
        found.append(("podman-compose",))
    return found


ENGINE = ComposeEngine()
