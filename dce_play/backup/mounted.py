"""The fallback of engines whose own way is not to be had: the data folder archived as it lies there.

What such a backup holds is what a crash would have left, so it carries two warnings and never comes about in silence.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import Module
from dce_play.backup.errors import WarningId
from dce_play.backup.facts import Consistency, Produced, Warned
from dce_play.backup.protocols import Engine, EngineSource, Services
from dce_play.backup.registry import engine_named
from dce_play.backup.streams import Sink

FORMAT = "tar"
"""The format of an archive of folders, which tells such a backup from its engine's own."""


def names_a_place(module: Module) -> bool:
    """Return whether the module has a container, whose mounts can be archived."""
    return bool(module.keys.container or module.runtime_container)


def files_engine() -> Engine:
    """Return the engine that checks, drills and restores archives of folders."""
    return engine_named("files")


def files_module(module: Module, folder: str) -> Module:
    """Return the module as one of files: its data folder, or all mounts of its container."""
    paths = (str(module.folder / folder),) if folder else ()
    keys = msgspec.structs.replace(module.keys, files=msgspec.structs.replace(module.keys.files, paths=paths))
    return msgspec.structs.replace(module, keys=keys, engine="files")


class MountedSource:
    """A source of files whose backups say that they are a fallback."""

    def __init__(self, inner: EngineSource, *, engine: str, because: str) -> None:
        self._inner = inner
        self._engine = engine
        self._because = because

    @property
    def extension(self) -> str:
        """Return ``tar``."""
        return self._inner.extension

    @property
    def is_compressible(self) -> bool:
        """Return whether the stream is compressed by us."""
        return self._inner.is_compressible

    def estimate_bytes(self) -> int | None:
        """Return about how large the folders are."""
        return self._inner.estimate_bytes()

    def check(self) -> Sink | None:
        """Return a check of archives of folders."""
        return self._inner.check()

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:
        """Archive the folders; say that it is the fallback, and why.

        Raises: BackupError.
        """
        made = self._inner.produce(out, quiesced=quiesced)
        warnings = (
            Warned(id=WarningId.FALLBACK, message=f"{self._because}; the data folder was archived instead"),
            Warned(
                id=WarningId.CRASH, message="the data are what a crash would have left: drill before you rely on it"
            ),
        )
        return msgspec.structs.replace(
            made,
            engine=msgspec.structs.replace(made.engine, name=self._engine),
            consistency=Consistency.CRASH,
            warnings=(*warnings, *made.warnings),
        )


@contextmanager
def mounted_source(
    module: Module, services: Services, /, *, folder: str, engine: str, because: str, dry_run: bool, excluding: Path
) -> Iterator[EngineSource]:
    """Open the data folder of a module, or its container's mounts, in the place of its engine's own way.

    Raises: BackupError, as the engine of files does.
    """
    services.say(f"fallback: {because}; the data folder is archived instead, as a crash would have left it")
    with files_engine().open(files_module(module, folder), services, dry_run=dry_run, excluding=excluding) as inner:
        yield MountedSource(inner, engine=engine, because=because)
