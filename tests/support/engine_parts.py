"""What an engine of backups needs around it, without the framework: services, a sink, a stored backup."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import Module, ModuleKeys
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Produced
from dce_play.backup.manifest import HealthRecord, Host, Manifest, OperatorRecord, ToolFacts, Verification
from dce_play.backup.protocols import Container, EngineSource
from dce_play.backup.streams import CHUNK_BYTES, Source, Tee
from dce_play.system.clock import Clock, SystemClock
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.process.streaming import Streams
from dce_play.system.redact import Masker

STAMP = "20261128T220000Z"


class PlainServices:
    """The doors of an engine, over a given environment."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.environment: Mapping[str, str] = {"PATH": os.environ["PATH"], **(environment or {})}
        self.masker = Masker()
        self.executor = LocalExecutor(self.environment, self.masker)
        self.streams = Streams(self.environment, self.masker)
        self.clock: Clock = SystemClock()
        self.said: list[str] = []

    def secret(self, reference: str, /) -> str:
        """Return the secret behind the reference."""
        kind, _, name = reference.partition(":")
        found = self.environment.get(name, "") if kind == "env" else Path(name).read_text(encoding="utf-8").strip()
        if not found:
            raise BackupError(ErrorId.INVALID, f"no secret behind {reference}")
        self.masker.add(found)
        return found

    def container(self, module: Module, /) -> Container | None:  # noqa: ARG002  # the protocol's
        """Return nothing: these tests have no containers."""
        return None

    @contextmanager
    def temporary_folder(self, prefix: str, /, *, below: Path | None = None) -> Iterator[Path]:
        """Give a folder."""
        with tempfile.TemporaryDirectory(prefix=prefix, dir=below) as folder:
            yield Path(folder)

    def say(self, line: str, /) -> None:
        """Keep the line."""
        self.said.append(line)


class FileSink:
    """A sink that is a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")

    def write(self, data: "bytes | memoryview", /) -> None:
        """Write."""
        self._file.write(data)

    def finish(self) -> None:
        """Close."""
        self._file.close()

    def abort(self) -> None:
        """Close."""
        self._file.close()


class FileSource:
    """A source that is a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")

    def read(self, size_bytes: int = CHUNK_BYTES, /) -> bytes:
        """Read."""
        return self._file.read(size_bytes)

    def finish(self) -> None:
        """Close."""
        self._file.close()

    def abort(self) -> None:
        """Close."""
        self._file.close()


class StoredBackup:
    """A backup whose file is its plain stream."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @contextmanager
    def plain(self) -> Iterator[Source]:
        """Open the stream."""
        source = FileSource(self.path)
        try:
            yield source
        finally:
            source.abort()


def module_of(engine: str, keys: Mapping[str, object], *, folder: Path = Path("/"), name: str = "thing") -> Module:
    """Return a module as the definitions' loader would."""
    return Module(
        keys=msgspec.convert({"name": name, **keys}, type=ModuleKeys),
        class_name="X",
        engine=engine,
        source="backup.yml:1",
        folder=folder,
    )


def manifest_of(module: Module, path: Path, produced: Produced) -> Manifest:
    """Return the manifest of a file that holds a plain stream."""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return Manifest(
        file=path.name, module=module.name, class_name=module.class_name, engine=produced.engine,
        host=Host(name="here", boot_id="0", machine="x86_64"), source=produced.source, roots=produced.roots,
        format=produced.format, compression=None, encryption=None, started="2026-11-28T22:00:00Z",
        ended="2026-11-28T22:00:01Z", duration_s=1.0, quiesced_s=0.0, bytes=len(data), sha256=digest,
        plain_bytes=len(data), plain_sha256=digest, counts=produced.counts, consistency=produced.consistency,
        health=HealthRecord(), verification=Verification(level=2, good=True), warnings=produced.warnings,
        operator=OperatorRecord(
            user="me", uid=0, sudo_user="", attended=True, terminal="/dev/pts/0", allowed_by="terminal"
        ),
        tool=ToolFacts(name="dce-play", version="0"),
    )  # fmt: skip


def take(source: EngineSource, module: Module, path: Path) -> StoredBackup:
    """Produce a stream into a file, its level 2 check beside it, as the framework does."""
    sink = FileSink(path)
    check = source.check()
    assert check is not None

    try:
        produced = source.produce(Tee(sink, check), quiesced=False)
        check.finish()
    finally:
        check.abort()
        sink.finish()
    return StoredBackup(path, manifest_of(module, path, produced))
