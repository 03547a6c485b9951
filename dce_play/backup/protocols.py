"""The protocols between the framework and its parts: engines and filters. Those of targets lie beside them.

An engine is one package below ``engines`` with one object that satisfies ``Engine``, one row in ``registry`` and one in
the class table. It knows nothing of files in backup_root, manifests, other engines, playbooks or terminals.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from dce_play.backup.definitions.model import Module
from dce_play.backup.facts import Drilled, Health, PlanItem, Produced
from dce_play.backup.manifest import Manifest
from dce_play.backup.streams import Sink, Source
from dce_play.system.clock import Clock
from dce_play.system.durable.swaps import Swap
from dce_play.system.process.executor import Executor
from dce_play.system.process.streaming import Streams


class Mounted(msgspec.Struct, frozen=True, kw_only=True):
    """A mount of a container."""

    source: str
    """The folder on the host."""
    destination: str
    type: str
    """``bind`` or ``volume``."""


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container as its engine tells of it now."""

    program: tuple[str, ...]
    """The engine's program as an argv: ``("podman",)``."""
    id: str
    name: str
    image: str
    image_digest: str
    running: bool
    paused: bool
    healthy: str
    """The engine's own health word: ``healthy``, ``unhealthy``, ``starting``; empty where no check is defined."""
    mounts: tuple[Mounted, ...]
    labels: Mapping[str, str]
    pid: int = 0

    def exec_argv(self, *argv: str, env: Sequence[str] = (), interactive: bool = True) -> tuple[str, ...]:
        """Return the argv that runs a program inside. ``env`` names variables of ours that it gets, without values."""
        words = [*self.program, "exec", *(("-i",) if interactive else ())]
        for name in env:
            words += ["--env", name]
        return (*words, self.name, *argv)


class Services(Protocol):
    """What the framework gives to an engine: the only doors to programs, secrets and containers."""

    @property
    def executor(self) -> Executor:
        """Return what runs programs to their end."""

    @property
    def streams(self) -> Streams:
        """Return what runs programs that a stream goes through."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Return our environment. What a program needs of it beyond PATH it gets by name."""

    @property
    def clock(self) -> Clock: ...

    def secret(self, reference: str, /) -> str:
        """Return the secret behind ``env:NAME``, ``file:PATH`` or ``keyring:NAME``; it is masked from then on.

        Raises: BackupError (``invalid``), when there is none.
        """

    def container(self, module: Module, /) -> Container | None:
        """Return the module's container, looked up anew, or ``None`` for a module without one.

        Raises: BackupError: ``ambiguous``; ``unreachable``, when an engine does not tell; ``not-found``, for a
        container that the definition names.
        """

    def mounting(self, module: Module, folders: Sequence[str], /) -> tuple[str, ...]:
        """Return the names of the running containers that mount one of these folders, or something in or above it.

        Raises: BackupError (``unreachable``), when one of the installed engines does not tell.
        """

    def compose_containers(self, module: Module, project: str, /) -> tuple[Container, ...]:
        """Return the containers of a compose project; none where no container engine is installed.

        Raises: BackupError (``unreachable``), when an engine does not tell.
        """

    def temporary_folder(self, prefix: str, /, *, below: Path | None = None) -> AbstractContextManager[Path]:
        """Give a new folder, 0700, below ``TMPDIR`` or the folder given; it is removed at the end, with all in it."""

    def say(self, line: str, /) -> None:
        """Tell the operator one line, on standard error."""


class DrillOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line of a drill says."""

    folder: Path | None = None
    """``--drill-dir``: where the temporary folder is made."""
    keep: bool = False
    unseal: str | None = None
    """A reference to the unseal key or keys (class C)."""


class OpenBackup(Protocol):
    """A backup that can be read: its manifest, and its plain stream as often as wanted."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def path(self) -> Path: ...

    def plain(self) -> AbstractContextManager[Source]:
        """Open the stream, decrypted and decompressed. Reading it to its end and ``finish`` checks the sha256.

        Raises: BackupError (``verify-failed``, ``truncated``, ``invalid`` without an identity for an encrypted one).
        """


class EngineSource(Protocol):
    """One module's service, opened for one backup. Opening it has already refused what must be refused (exit 4, 7)."""

    @property
    def extension(self) -> str:
        """Return the file's extension before compression: ``sql``, ``pg.tar``, ``rdb``, ``tar``, ``snap``, ``dump``."""

    @property
    def is_compressible(self) -> bool:
        """Return whether the stream is compressed by us: not what its engine compressed already."""

    def estimate_bytes(self) -> int | None:
        """Return about how many bytes the stream will have, or ``None`` when nobody knows. Touches nothing."""

    def check(self) -> Sink | None:
        """Return a new level 2 check to push the plain stream through; ``None`` when the engine has no tool for it."""

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:
        """Write the whole stream into ``out`` (which the caller finishes) and return what it holds.

        Every program's exit code was looked at, whatever else is to be undone was undone, in every case.

        Raises: BackupError.
        """


class Restoring(Protocol):
    """The framework's record of one restore in place. Whoever kills us leaves it for every command that comes after."""

    @property
    def stamp(self) -> str:
        """Return what names the things that are put aside: ``20261128T221500Z``."""

    @property
    def replace(self) -> bool:
        """Return whether ``--confirm`` was given."""

    def begins(self, *, aside: Sequence[str] = (), swaps: Sequence[Swap] = ()) -> None:
        """Note on disk that the service holds nobody knows what from now on. Called before the first write.

        ``aside``: a line for people for each thing that is put aside. ``swaps``: roots that change places; the guard
        process puts them back when we are killed between two renames, before it starts anything.

        Raises: BackupError; then nothing may be written.
        """

    def is_as_before(self) -> None:
        """Take the note back: all that was written is undone."""


class Engine(Protocol):
    """A kind of service: how to reach, read, check, drill and restore it."""

    @property
    def name(self) -> str: ...

    def probe(self, module: Module, services: Services, /, *, timeout_s: float) -> Health:
        """Ask the service itself. ``unknown`` when this engine has no probe (files). Raises nothing foreseen.

        ``unhealthy`` also when it cannot be reached.
        """

    def readiness(self, module: Module, /) -> tuple[str, ...]:
        """Return what the definition lacks for a backup (``no data place``), as short reasons. Contacts nothing."""

    def open(
        self, module: Module, services: Services, /, *, dry_run: bool, excluding: Path
    ) -> AbstractContextManager[EngineSource]:
        """Open the service: look up container, tools, versions; choose the fallback where the contract has one.

        ``excluding`` is backup_root: nothing of it is ever archived.

        Raises: BackupError, with what must be refused before anything is touched.
        """

    def quiesce_places(self, module: Module, services: Services, /) -> tuple[str, ...]:
        """Return the folders that the data lie in, for ``fsfreeze`` and the dry run; empty where there are none."""

    def check(self, manifest: Manifest, services: Services, /) -> Sink | None:
        """Return a new level 2 check for a stored backup's plain stream.

        It compares what it sees with the manifest's ``counts`` where it can. Its ``finish`` (or ``write``) raises
        ``BackupError`` with ``verify-failed``, ``truncated``, ``incomplete`` or ``no-tool``. A manifest of a fallback
        has another ``format`` than the engine's own.
        """

    def drill(self, backup: OpenBackup, services: Services, options: DrillOptions, /) -> Drilled:
        """Restore into a throw-away engine and count. Nothing stays: no process, no folder, unless ``keep``.

        Raises: BackupError, when it cannot even be restored (``verify-failed``, ``no-tool``, ``version``).
        """

    def plan_restore(
        self, backup: OpenBackup, module: Module, services: Services, /, *, into: Path | None
    ) -> tuple[PlanItem, ...]:
        """Return what a restore would do, for people. Looks, touches nothing.

        Raises: BackupError: what ``restore`` would refuse before anything (``version``, ``usage`` for an ``into``
        that this engine does not have, ``ambiguous``).
        """

    def restore(self, backup: OpenBackup, module: Module, services: Services, restoring: Restoring, /) -> None:
        """Restore in place. If it fails half-way, what was put aside is put back before the error is raised.

        Raises: BackupError.
        """

    def restore_into(self, backup: OpenBackup, folder: Path, services: Services, /) -> None:
        """Restore into a folder that is empty or new; the framework has looked at that and made it, 0700.

        Raises: BackupError (``usage``, when this engine restores in place only).
        """


class Filter(Protocol):
    """A compression or an encryption. ``kind`` goes into the manifest, ``suffix`` into the file's name."""

    @property
    def kind(self) -> str:
        """Return ``gzip``, ``zstd``, ``age`` or ``gpg``."""

    @property
    def suffix(self) -> str:
        """Return ``.gz``, ``.zst``, ``.age`` or ``.gpg``."""

    def into(self, out: Sink, /) -> Sink:
        """Return a sink that writes what it is given, compressed or encrypted, into ``out``."""

    def reading(self, stored: Source, /) -> Source:
        """Return a source of the plain bytes. Its ``finish`` finishes ``stored`` too, its ``abort`` aborts it.

        Raises: BackupError.
        """


class FilterModule(Protocol):
    """A module below ``filters`` for one encryption."""

    def encrypting(self, recipients: Sequence[str], services: Services, /) -> Filter:
        """Return the filter that writes for these recipients.

        Raises: BackupError (``no-tool``, with the command that installs it; ``invalid``, for a recipient that is none).
        """

    def decrypting(self, identity: str | None, services: Services, /) -> Filter:
        """Return the filter that reads. ``identity`` is a reference (``--identity``); gpg uses its agent without one.

        Raises: BackupError (``no-tool``, ``invalid``).
        """
