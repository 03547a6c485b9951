"""Class F: a Meilisearch server, backed up by the dump that it makes of itself.

The dump stays where the server put it; we copy it as it is. Where no API is given, the mounted data are archived.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.backup.definitions.model import MeilisearchKeys, Module
from dce_play.backup.drills import differences
from dce_play.backup.engines.meilisearch.dump import DumpFacts, checking
from dce_play.backup.engines.meilisearch.server import Held, headers, held, is_healthy, make_dump, version
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import (
    REFUSE,
    Consistency,
    Drilled,
    EngineFacts,
    Health,
    PlanItem,
    Produced,
    SourceFacts,
)
from dce_play.backup.http_api import HttpApi
from dce_play.backup.manifest import Manifest
from dce_play.backup.mounted import FORMAT as MOUNTED
from dce_play.backup.mounted import files_engine, mounted_source, names_a_place
from dce_play.backup.protocols import DrillOptions, EngineSource, OpenBackup, Restoring, Services
from dce_play.backup.streams import CHUNK_BYTES, Sink, chunks, push_all
from dce_play.errors import ExitCode
from dce_play.source import JsonValue
from dce_play.system.counted import counted

NAME = "meilisearch"
FORMAT = "meilisearch-dump"
_DATA = "/meili_data"
"""Where the data lie in the official image; the dumps below it. Source: the Meilisearch docs, "Docker"."""
_STABLE_S = 0.3


class DumpSource:
    """A server that is about to be asked for a dump."""

    extension = "dump"
    is_compressible = False

    def __init__(self, keys: MeilisearchKeys, services: Services, *, folder: Path, key: str) -> None:
        self._keys = keys
        self._services = services
        self._folder = folder
        self._key = key

    def estimate_bytes(self) -> None:
        """Return nothing: the server does not tell."""

    def check(self) -> Sink:
        """Return the reader of dumps."""
        return checking()

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:  # noqa: ARG002  # a dump needs no quiescing
        """Have a dump made and copy it, reading all of it on its way.

        Raises: BackupError: ``auth``, ``forbidden``, ``engine-failed``, ``timeout``, ``not-found``, ``changed``,
        ``truncated``, ``incomplete``.
        """
        with HttpApi(self._keys.url, headers=headers(self._key)) as api:
            server_version = version(api)
            before = held(api)
            name = make_dump(api, self._services.clock, timeout_s=self._keys.timeout)
            found = self._copy(self._folder / f"{name}.dump", out)
            after = held(api)
        _compare(found, before, after)
        counts: dict[str, JsonValue] = found.counts()
        if not found.indexes and after is not None:
            counts = {"documents": after.documents, "indexes": len(after.indexes)}
        return Produced(
            engine=EngineFacts(name=NAME, server_version=server_version or found.server_version, tool="dumps API"),
            source=SourceFacts(kind="endpoint", where=self._keys.url),
            format=FORMAT,
            consistency=Consistency.ENGINE,
            counts=counts,
        )

    def _copy(self, path: Path, out: Sink) -> DumpFacts:
        reader = checking()
        descriptor = _open(path)
        try:
            size = _stable_size(descriptor, self._services)
            at = 0
            while data := os.pread(descriptor, CHUNK_BYTES, at):
                at += len(data)
                reader.write(data)
                out.write(data)
            if at != size or os.fstat(descriptor).st_size != size:
                raise BackupError(ErrorId.CHANGED, f"{path} changed while it was read")
            reader.finish()
        finally:
            reader.abort()
            os.close(descriptor)
        return reader.result


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        missing = error.errno == errno.ENOENT
        raise BackupError(
            ErrorId.NOT_FOUND if missing else ErrorId.ENGINE_FAILED,
            f"the server made a dump, and {path} cannot be read: {os.strerror(error.errno or 0).lower()}",
            hint="is meilisearch.dump_folder the folder on this machine that the server writes its dumps to?",
            exit_code=ExitCode.FAILED,
        ) from error


def _stable_size(descriptor: int, services: Services) -> int:
    """Return the file's size once it has stopped growing."""
    size = -1
    while (now := os.fstat(descriptor).st_size) != size:
        size = now
        services.clock.sleep(_STABLE_S)
    return size


def _compare(found: DumpFacts, before: Held | None, after: Held | None) -> None:
    """Hold a dump against what the server said before and after it; only when that did not change does it tell."""
    if before is None or before != after or not found.indexes:
        return
    missing = sorted(set(before.indexes) - set(found.indexes))
    if missing:
        raise BackupError(ErrorId.INCOMPLETE, f"the dump lacks the indexes {', '.join(missing[:10])}")
    fewer = sorted(name for name, count in before.indexes.items() if found.indexes[name] != count)
    if fewer:
        raise BackupError(ErrorId.INCOMPLETE, f"the dump holds other numbers of documents in {', '.join(fewer[:10])}")


class MeilisearchEngine:
    """Dumps: made by the server, copied, opened, counted."""

    name = NAME

    def probe(self, module: Module, services: Services, /, *, timeout_s: float) -> Health:
        """Return healthy for a server that is available; unknown where only its data are known."""
        keys = module.keys.meilisearch
        if not keys.url:
            return Health.UNKNOWN
        try:
            key = services.secret(keys.key) if keys.key else ""
            with HttpApi(keys.url, headers=headers(key), silence_s=timeout_s) as api:
                return Health.HEALTHY if is_healthy(api, total_s=timeout_s) else Health.UNHEALTHY
        except BackupError:
            return Health.UNHEALTHY

    def readiness(self, module: Module, /) -> tuple[str, ...]:
        """Return what the definition lacks."""
        keys = module.keys.meilisearch
        if names_a_place(module) or (keys.url and keys.dump_folder):
            return ()
        return ("no data place: set meilisearch.url and meilisearch.dump_folder",)

    @contextmanager
    def open(self, module: Module, services: Services, /, *, dry_run: bool, excluding: Path) -> Iterator[EngineSource]:
        """Look whether the server answers and its dumps can be reached; without an API take the mounted data.

        Raises: BackupError: ``unreachable``, ``invalid``, ``not-found``.
        """
        keys = module.keys.meilisearch
        if not keys.url and names_a_place(module):
            because = f"{module.name} has no address of its dumps API"
            with mounted_source(
                module, services, folder="", engine=NAME, because=because, dry_run=dry_run, excluding=excluding
            ) as source:
                yield source
            return
        if not keys.url:
            raise BackupError(ErrorId.INVALID, f"{module.name}: no address of the server", hint="set meilisearch.url")
        folder = _dump_folder(module, services)
        key = services.secret(keys.key) if keys.key and not dry_run else ""
        with HttpApi(keys.url, headers=headers(key)) as api:
            api.ask("GET", "/health")
        yield DumpSource(keys, services, folder=folder, key=key)

    def quiesce_places(self, module: Module, services: Services, /) -> tuple[str, ...]:  # noqa: ARG002  # protocol
        """Return the folder of the dumps, if it is named."""
        return (module.keys.meilisearch.dump_folder,) if module.keys.meilisearch.dump_folder else ()

    def check(self, manifest: Manifest, services: Services, /) -> Sink | None:
        """Return the reader of dumps, told what it must find."""
        if manifest.format == MOUNTED:
            return files_engine().check(manifest, services)
        return checking(manifest.counts)

    def drill(self, backup: OpenBackup, services: Services, options: DrillOptions, /) -> Drilled:
        """Open the dump and count it; a server that could import it is not looked for."""
        if backup.manifest.format == MOUNTED:
            return files_engine().drill(backup, services, options)
        reader = checking()
        push_all(backup.plain(), reader)
        expected: dict[str, JsonValue] = dict(backup.manifest.counts)
        counted: dict[str, JsonValue] = reader.result.counts()
        restored = {key: counted.get(key) for key in expected} if reader.result.indexes else dict(expected)
        return Drilled(
            engine=EngineFacts(name=NAME, server_version=reader.result.server_version),
            expected=expected,
            restored=restored,
            differences=differences(expected, restored),
            level=2,
            note="the dump was opened and its documents counted; it was not imported into a server",
        )

    def plan_restore(
        self, backup: OpenBackup, module: Module, services: Services, /, *, into: Path | None
    ) -> tuple[PlanItem, ...]:
        """Return what to type: the server imports a dump when it starts."""
        if backup.manifest.format == MOUNTED:
            return files_engine().plan_restore(backup, module, services, into=into)
        folder = into or Path("FOLDER")
        command = f"meilisearch --import-dump {folder / _file_name(backup)} --db-path NEW_FOLDER"
        refused = "a server that runs imports no dump: --apply needs --into FOLDER"
        return (
            *(() if into else (PlanItem(what=REFUSE, detail=refused),)),
            PlanItem(what="contents", detail=counted(backup.manifest.counts.get("documents", 0), "document")),
            PlanItem(what="write", detail=f"the dump to {folder}"),
            PlanItem(what="command", detail=command),
            PlanItem(what="note", detail="the server imports a dump only when it starts, into an empty database"),
        )

    def restore(self, backup: OpenBackup, module: Module, services: Services, restoring: Restoring, /) -> None:
        """Refuse: no server imports a dump while it runs."""
        if backup.manifest.format != MOUNTED:
            raise BackupError(
                ErrorId.USAGE,
                "a Meilisearch dump is imported by a server that starts, not into one that runs",
                hint="restore it with --into FOLDER, and start a server with --import-dump",
            )
        files_engine().restore(backup, module, services, restoring)

    def restore_into(self, backup: OpenBackup, folder: Path, services: Services, /) -> None:
        """Write the dump into the folder, under a name that the server imports."""
        if backup.manifest.format == MOUNTED:
            files_engine().restore_into(backup, folder, services)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with (
                os.fdopen(os.open(folder / _file_name(backup), flags, 0o600), "wb") as file,
                backup.plain() as plain,
            ):
                for data in chunks(plain):
                    file.write(data)
        except OSError as error:
            raise BackupError(ErrorId.WRITE_FAILED, f"cannot write into {folder}: {error.strerror}") from error


def _file_name(backup: OpenBackup) -> str:
    """Return the stored file's name without what an encryption appended."""
    stem, dot, _ = backup.manifest.file.rpartition(".dump")
    return f"{stem}{dot}" if dot else f"{backup.manifest.file}.dump"


def _dump_folder(module: Module, services: Services) -> Path:
    """Return the folder on this machine in which the server's dumps lie.

    Raises: BackupError: ``invalid``, when neither the definition nor the container's mounts tell; ``not-found``.
    """
    named = module.keys.meilisearch.dump_folder
    folder = module.folder / named if named else None
    container = services.container(module) if folder is None and names_a_place(module) else None
    for mount in container.mounts if container is not None else ():
        if mount.destination.rstrip("/") == _DATA:
            folder = Path(mount.source) / "dumps"
        elif mount.destination.rstrip("/") == f"{_DATA}/dumps":
            folder = Path(mount.source)
    if folder is None:
        raise BackupError(
            ErrorId.INVALID, f"{module.name}: nobody says where its dumps lie", hint="set meilisearch.dump_folder"
        )
    if named and not folder.is_dir():
        raise BackupError(
            ErrorId.NOT_FOUND, f"no folder {folder}", hint="see meilisearch.dump_folder", exit_code=ExitCode.PREFLIGHT
        )
    return folder


ENGINE = MeilisearchEngine()
