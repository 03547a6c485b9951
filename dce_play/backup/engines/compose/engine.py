"""The engine ``compose``: the folder of a compose project, with the hash of its configuration and its images."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.backup.definitions.model import EncryptKeys, Module
from dce_play.backup.errors import BackupError, WarningId
from dce_play.backup.facts import (
    ComposeFacts,
    Drilled,
    EngineFacts,
    Health,
    ImageFacts,
    PlanItem,
    Produced,
    RootFacts,
    SourceFacts,
    Warned,
)
from dce_play.backup.manifest import Manifest
from dce_play.backup.protocols import DrillOptions, EngineSource, OpenBackup, Restoring, Services
from dce_play.backup.streams import Sink
from dce_play.backup.tree.check import tree_check
from dce_play.backup.tree.drill import drill_tree
from dce_play.backup.tree.mounted import FORMAT, pack_roots, refuse_missing, roots_of_paths, size_of
from dce_play.backup.tree.pack import PackRules
from dce_play.backup.tree.restore import moves, refuse_unmovable, restore_in_place, restore_into_folder
from dce_play.errors import DcePlayError
from dce_play.system.process.executor import Command

_ESTIMATE_S = 0.5
_PATIENCE_S = 60.0
_IMAGE = re.compile(r"^\s+image:\s*[\"']?([^\s\"']+)", re.MULTILINE)


class ComposeEngine:
    """Satisfies ``Engine``."""

    name = "compose"

    def probe(self, module: Module, services: Services, /, *, timeout_s: float) -> Health:  # noqa: ARG002
        try:
            containers = services.compose_containers(module, _project(module))
        except BackupError:
            return Health.UNHEALTHY
        if not containers:
            return Health.UNKNOWN
        well = all(each.running and not each.paused and each.healthy != "unhealthy" for each in containers)
        return Health.HEALTHY if well else Health.UNHEALTHY

    def readiness(self, module: Module, /) -> tuple[str, ...]:
        return () if module.keys.compose.project_root else ("no data place: compose.project_root",)

    @contextmanager
    def open(self, module: Module, services: Services, /, *, dry_run: bool, excluding: Path) -> Iterator[EngineSource]:
        roots = _roots(module)
        refuse_missing(roots, what=module.name)
        services.compose_containers(module, _project(module))  # an engine that does not answer is told before all else
        yield _ComposeSource(module, services, roots, excluding, quick=not dry_run)

    def quiesce_places(self, module: Module, _services: Services, /) -> tuple[str, ...]:
        return tuple(root.source for root in _roots(module))

    def check(self, manifest: Manifest, _services: Services, /) -> Sink | None:
        return tree_check(manifest.counts)

    def drill(self, backup: OpenBackup, services: Services, options: DrillOptions, /) -> Drilled:
        return drill_tree(backup, services, options)

    def plan_restore(
        self, backup: OpenBackup, module: Module, services: Services, /, *, into: Path | None
    ) -> tuple[PlanItem, ...]:
        if into is not None:
            return tuple(PlanItem(what="write", detail=f"{into / root.label}") for root in backup.manifest.roots)
        present = _roots(module)
        found = moves(backup.manifest.roots, present)
        stopped = module.keys.quiesce.mode == "stop"
        refuse_unmovable(found, () if stopped else services.mounting(module, [root.source for root in present]))
        return tuple(
            PlanItem(what="replace", detail=f"{move.place}; what is there becomes {move.place.name}.before-<time>")
            for move in found
        )

    def restore(self, backup: OpenBackup, module: Module, services: Services, restoring: Restoring, /) -> None:
        present = _roots(module)
        found = moves(backup.manifest.roots, present)
        refuse_unmovable(found, services.mounting(module, [root.source for root in present]))
        restore_in_place(backup, found, restoring)

    def restore_into(self, backup: OpenBackup, folder: Path, _services: Services, /) -> None:
        restore_into_folder(backup, folder)


class _ComposeSource:
    """Satisfies ``EngineSource``."""

    extension = "tar"
    is_compressible = True

    def __init__(
        self, module: Module, services: Services, roots: tuple[RootFacts, ...], excluding: Path, *, quick: bool
    ) -> None:
        self._module = module
        self._services = services
        self._roots = roots
        self._excluding = excluding
        self._quick = quick

    def estimate_bytes(self) -> int | None:
        return size_of(self._roots, within_s=_ESTIMATE_S if self._quick else None)

    def check(self) -> Sink | None:
        return tree_check(None)

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:
        keys = self._module.keys
        compose, warnings = self._configuration()
        rules = PackRules(
            exclude=keys.compose.exclude,
            off_disk=keys.encrypt != EncryptKeys(),
            fail_on_change=quiesced or keys.on_change == "fail",
            not_below=self._excluding,
        )
        counts, consistency, more = pack_roots(self._roots, out, rules, quiesced=quiesced)
        return Produced(
            engine=EngineFacts(name=ComposeEngine.name),
            source=SourceFacts(kind="path", where=self._roots[0].source),
            format=FORMAT,
            consistency=consistency,
            counts=counts.plain(),
            roots=self._roots,
            compose=compose,
            warnings=(*warnings, *more),
        )

    def _configuration(self) -> tuple[ComposeFacts, tuple[Warned, ...]]:
        """Return the hash of what the compose program makes of the files; the text itself has secrets, and goes."""
        keys = self._module.keys.compose
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
            for each in self._services.compose_containers(self._module, _project(self._module))
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


def _project(module: Module) -> str:
    keys = module.keys.compose
    return keys.project or Path(keys.project_root).name


def _roots(module: Module) -> tuple[RootFacts, ...]:
    root = module.keys.compose.project_root
    return roots_of_paths([str(module.folder / root)]) if root else ()


ENGINE = ComposeEngine()
