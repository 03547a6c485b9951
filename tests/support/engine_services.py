"""What the backup framework gives to an engine, for tests of an engine alone; and a backup kept in one plain file."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dce_play.backup.definitions.model import Module, ModuleKeys
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency, EngineFacts, Produced, SourceFacts
from dce_play.backup.manifest import HealthRecord, Host, Manifest, OperatorRecord, ToolFacts, Verification
from dce_play.backup.protocols import Container, Engine
from dce_play.backup.streams import CHUNK_BYTES
from dce_play.system.clock import Clock, SystemClock
from dce_play.system.durable.swaps import Swap
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.process.streaming import Streams
from dce_play.system.redact import Masker


@dataclass
class EngineServices:
    """Real programs, real folders, secrets by ``env:`` and ``file:``. ``container_found`` stands in for the lookup."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    container_found: Container | None = None
    clock: Clock = field(default_factory=SystemClock)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._masker = Masker()
        self.executor = LocalExecutor(self.environment, self._masker)
        self.streams = Streams(self.environment, self._masker)

    def secret(self, reference: str, /) -> str:
        kind, _, name = reference.partition(":")
        value = self.environment.get(name, "") if kind == "env" else Path(name).read_text(encoding="utf-8").strip()
        if not value:
            raise BackupError(ErrorId.INVALID, f"{reference} is empty")
        return value

    def container(self, module: Module, /) -> Container | None:  # noqa: ARG002 - one for all
        return self.container_found

    def mounting(self, module: Module, folders: Sequence[str], /) -> tuple[str, ...]:  # noqa: ARG002 - none runs
        return ()

    def compose_containers(self, module: Module, project: str, /) -> tuple[Container, ...]:  # noqa: ARG002 - as above
        return ()

    @contextmanager
    def temporary_folder(self, prefix: str, /, *, below: Path | None = None) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=below))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def say(self, line: str, /) -> None:
        self.said.append(line)


@dataclass
class Record:
    """A restore's record as an engine sees it. A ``Restoring``."""

    stamp: str = "20261128T221500Z"
    replace: bool = False
    is_open: bool = False

    def begins(self, *, aside: Sequence[str] = (), swaps: Sequence[Swap] = ()) -> None:  # noqa: ARG002 - none is kept
        self.is_open = True

    def is_as_before(self) -> None:
        self.is_open = False


class FileSink:
    """A sink that is a file; ``fails_after_bytes`` makes it a full disk."""

    def __init__(self, path: Path, *, fails_after_bytes: int | None = None) -> None:
        self.path = path
        self._file = path.open("wb")
        self._left = fails_after_bytes

    def write(self, data: "bytes | memoryview", /) -> None:
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise BackupError(ErrorId.WRITE_FAILED, "no space left on device")
        self._file.write(data)

    def finish(self) -> None:
        self._file.close()

    def abort(self) -> None:
        self._file.close()


class FileSource:
    """A source that is a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")

    def read(self, size_bytes: int = CHUNK_BYTES, /) -> bytes:
        return self._file.read(size_bytes)

    def finish(self) -> None:
        self._file.close()

    def abort(self) -> None:
        self._file.close()


@dataclass
class StoredBackup:
    """A backup whose stored bytes are its plain stream. An ``OpenBackup``."""

    manifest: Manifest
    path: Path

    @contextmanager
    def plain(self) -> Iterator[FileSource]:
        source = FileSource(self.path)
        try:
            yield source
        finally:
            source.abort()


@dataclass
class LosingBackup(StoredBackup):
    """A backup whose restored files are lost as soon as it was read, as a bad disk loses them."""

    below: str = ""
    """Where they lie: a pattern below TMPDIR."""

    @contextmanager
    def plain(self) -> Iterator[FileSource]:
        with super().plain() as source:
            yield source
        for path in Path(tempfile.gettempdir()).glob(self.below):
            if path.is_file():
                path.unlink()


def module_of(keys: ModuleKeys, *, engine: str, class_name: str) -> Module:
    """Return a module as the definitions give it."""
    return Module(keys=keys, class_name=class_name, engine=engine, source="backup.yml:1", folder=Path("/"))


def take(engine: Engine, module: Module, services: EngineServices, path: Path) -> StoredBackup:
    """Take a backup with an engine alone: produce, check at level 2, and keep the plain stream in a file."""
    with engine.open(module, services, dry_run=False, excluding=path.parent) as source:
        sink = FileSink(path)
        try:
            produced = source.produce(sink, quiesced=False)
        finally:
            sink.finish()
    stored = StoredBackup(manifest=manifest_of(produced, module, path), path=path)
    check(engine, stored, services)
    return stored


def check(engine: Engine, backup: StoredBackup, services: EngineServices) -> None:
    """Push a stored backup through the engine's level 2 check."""
    sink = engine.check(backup.manifest, services)
    assert sink is not None
    try:
        with backup.path.open("rb") as file:
            while data := file.read(CHUNK_BYTES):
                sink.write(data)
        sink.finish()
    finally:
        sink.abort()


def files_manifest(path: Path, **counts: int) -> Manifest:
    """Return what the manifest of the module ``thing`` would be, whose backup of files is at the path."""
    produced = Produced(
        engine=EngineFacts(name="files"),
        source=SourceFacts(kind="path", where="/srv"),
        format="tar",
        consistency=Consistency.LIVE,
        counts=dict(counts),
    )
    return manifest_of(produced, module_of(ModuleKeys(name="thing"), engine="files", class_name="E"), path)


def manifest_of(produced: Produced, module: Module, path: Path) -> Manifest:
    """Return a manifest with what the engine said; sums and times are not what these tests look at."""
    return Manifest(
        file=path.name,
        module=module.name,
        class_name=module.class_name,
        engine=produced.engine,
        host=Host(name="test", boot_id="", machine=""),
        source=produced.source,
        roots=produced.roots,
        command=produced.command,
        format=produced.format,
        compression=None,
        encryption=None,
        started="2026-11-28T00:00:00Z",
        ended="2026-11-28T00:00:01Z",
        duration_s=1.0,
        quiesced_s=0.0,
        bytes=path.stat().st_size,
        sha256="",
        plain_bytes=path.stat().st_size,
        plain_sha256="",
        counts=produced.counts,
        consistency=produced.consistency,
        health=HealthRecord(),
        verification=Verification(level=2, good=True),
        warnings=produced.warnings,
        operator=OperatorRecord(user="root", uid=0, sudo_user="", attended=True, terminal="", allowed_by="terminal"),
        tool=ToolFacts(name="dce-play", version="0"),
    )
