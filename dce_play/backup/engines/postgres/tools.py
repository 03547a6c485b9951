"""Which PostgreSQL programs are used: those in the module's container, or the right ones of this machine.

On the machine the order is the module's ``tools`` folder, then PATH, then the oldest installed major version that is at
least the server's. A dump program older than its server refuses to work, so it is passed over.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Container, Services
from dce_play.errors import DcePlayError
from dce_play.system.process.executor import Command

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?(\S*)")
_PATIENCE_S = 20.0


class ToolVersion(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A version of PostgreSQL since 10: major and minor."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of programs. ``folder`` is empty where PATH is to find them; ``container`` is where they run."""

    folder: str
    version: ToolVersion
    container: Container | None = None
    run_as: tuple[str, ...] = ()
    """The argv before each program of this machine that makes it run as another user."""

    def path(self, program: str) -> str:
        """Return the program as it stands in an argv."""
        return f"{self.folder.rstrip('/')}/{program}" if self.folder else program

    def argv(self, program: str, *arguments: str, env: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the argv that runs a program. ``env`` names the variables that it gets inside a container."""
        if self.container is None:
            return (*self.run_as, self.path(program), *arguments)
        return self.container.exec_argv(self.path(program), *arguments, env=env)


def parse_version(text: str) -> ToolVersion | None:
    """Return the version in what a program's ``--version`` or a server's ``server_version`` says."""
    found = _VERSION.search(text) or re.match(r"(\d+)(?:\.(\d+))?(\S*)", text)
    return ToolVersion(major=int(found[1]), minor=int(found[2] or 0)) if found else None


def _version_of(program: tuple[str, ...], services: Services) -> ToolVersion | None:
    try:
        finished = services.executor.run(Command(argv=(*program, "--version"), timeout_s=_PATIENCE_S))
    except DcePlayError:
        return None
    return parse_version(finished.stdout) if finished.exit_code == 0 else None


def _installed_folders() -> list[Path]:
    """Return the folders of programs that packages install, wherever they are."""
    top = Path("/")
    folders = [folder / "bin" for folder in top.glob("usr/lib/postgresql/*")]
    return sorted([*folders, *top.glob("usr/pgsql-*/bin"), *top.glob("opt/postgresql*/bin")])


def _host_candidates(program: str, folder: str, services: Services) -> Iterator[Tools]:
    """Yield each place that has the program, in the order in which it is asked."""
    if folder:
        version = _version_of((f"{folder}/{program}",), services)
        if version is not None:
            yield Tools(folder=folder, version=version)
        return
    if shutil.which(program, path=services.environment.get("PATH")):
        version = _version_of((program,), services)
        if version is not None:
            yield Tools(folder="", version=version)
    versions = [(_version_of((str(place / program),), services), place) for place in _installed_folders()]
    for version, place in sorted((version, place) for version, place in versions if version is not None):
        yield Tools(folder=str(place), version=version)


def tools_inside(container: Container, folder: str, services: Services) -> Tools:
    """Return the programs in a container.

    Raises: BackupError (``no-tool``).
    """
    candidate = Tools(folder=folder, version=ToolVersion(major=0, minor=0), container=container)
    version = _version_of(candidate.argv("pg_dumpall"), services)
    if version is None:
        raise BackupError(
            ErrorId.NO_TOOL,
            f"container {container.name} has no pg_dumpall that runs" + (f" in {folder}" if folder else ""),
            hint="set postgres.tools to the folder inside the container",
        )
    return msgspec.structs.replace(candidate, version=version)


def tools_here(program: str, services: Services, *, folder: str = "", at_least: int = 0) -> Tools:
    """Return the first programs of this machine whose major version is at least ``at_least``.

    Raises: BackupError: ``no-tool`` when there are none, ``version`` when all are older.
    """
    older: ToolVersion | None = None
    for candidate in _host_candidates(program, folder, services):
        if candidate.version.major >= at_least:
            return candidate
        older = candidate.version
    place = folder or "PATH and /usr/lib/postgresql"
    if older is None:
        raise BackupError(
            ErrorId.NO_TOOL,
            f"no {program} in {place}",
            hint="install the postgresql-client package of the server's age",
        )
    raise BackupError(
        ErrorId.VERSION,
        f"the server is PostgreSQL {at_least}, {program} in {place} is {older}",
        hint=f"install postgresql-client-{at_least}, or set postgres.tools to a folder of version {at_least} or newer",
    )


def drill_tools(services: Services, *, major: int) -> Tools:
    """Return server programs of this machine for a throw-away server: of the dump's own version, or the next newer.

    Raises: BackupError (``no-tool``, ``version``).
    """
    fitting = [tools for tools in _host_candidates("initdb", "", services) if tools.version.major >= major]
    with_server = [tools for tools in fitting if tools.folder or shutil.which("postgres")]
    if not with_server:
        return tools_here("initdb", services, at_least=major)
    return min(with_server, key=lambda tools: tools.version.major)
