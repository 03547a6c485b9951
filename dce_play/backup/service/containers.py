"""Which container a module is, and what its engine tells of it."""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from dce_play.backup.definitions.model import ContainerRef, Module
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Container, Mounted
from dce_play.errors import ExitCode
from dce_play.system.process.executor import Command, Executor, Finished, NoSuchProgram, ProgramTimedOut

PROGRAM_VARIABLE = "DCE_DOCKER_BIN"
SERVICE_LABEL = "com.docker.compose.service"
PROJECT_LABEL = "com.docker.compose.project"
NO_ENGINE = "none"
"""What a definition says of a module that no container engine is to be asked about."""
_PROGRAMS = ("podman", "docker")
_PATIENCE_S = 30.0
_IN_RUNBOOK = re.compile(
    r"^\s*[-*`]*\s*container:\s*[`\"']?(?P<named>[A-Za-z0-9][A-Za-z0-9_.-]*)"
    r"|\b(?:docker|podman)\s+(?:exec|logs|restart)\s+(?:-\S+\s+)*(?P<used>[A-Za-z0-9][A-Za-z0-9_.-]*)",
    re.MULTILINE,
)

_NOBODY_LISTENS = ("is the docker daemon running", "check if the path is correct and if the daemon is running")
"""How the docker client says that there is no daemon. One that hangs, or lets us not in, says something else."""
_Found = TypeVar("_Found")


class EngineOff(BackupError):
    """An engine is installed, and its daemon does not run."""

    def __init__(self, program: str) -> None:
        super().__init__(ErrorId.UNREACHABLE, f"{program} is installed and does not run", hint=_hint(program))


class Containers:
    """Looks containers up, anew each time: their ids change."""

    def __init__(self, executor: Executor, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        """``say`` is told, once, of an engine that is installed and switched off."""
        self._executor = executor
        self._environment = environment
        self._say = say
        self._told: set[str] = set()

    def of_module(self, module: Module) -> Container | None:
        """Return a module's container, or ``None`` for a module without one.

        An engine that does not answer is no engine without containers: only where another one has the container does
        it not matter. One that is switched off runs none; that is told.

        Raises: BackupError: ``unreachable``; ``ambiguous``; ``not-found`` or ``no-tool``, when the definition names a
        container.
        """
        wanted = module.keys.container or module.runtime_container
        programs = self.engines(module.keys.container_engine, needed=bool(wanted))
        found = self._first(programs, lambda program: self._in_engine(program, module, wanted), needed=bool(wanted))
        if found is None and wanted:
            raise BackupError(
                ErrorId.NOT_FOUND,
                f"no container {wanted} for {module.name}",
                hint=" and ".join(f"{program[0]} ps -a" for program in programs),
                exit_code=ExitCode.PREFLIGHT,
            )
        return found

    def engines(self, wanted: str, *, needed: bool = False) -> tuple[tuple[str, ...], ...]:
        """Return the programs to ask: what the environment or the definition names, else each that is installed.

        Raises: BackupError (``no-tool``), when one is needed and there is none.
        """
        if wanted == NO_ENGINE:
            return ()
        named = self._environment.get(PROGRAM_VARIABLE) or wanted
        found = [(named,)] if named else [(each,) for each in _PROGRAMS if shutil.which(each)]
        if needed and not found:
            raise BackupError(ErrorId.NO_TOOL, "neither podman nor docker is installed")
        return tuple(found)

    def named(self, wanted: str, name: str) -> Container | None:
        """Return the container of a name, whichever engine has it, or ``None``. ``wanted`` is the engine's name or "".

        Raises: BackupError (``no-tool``, ``unreachable``).
        """
        programs = self.engines(wanted, needed=True)
        return self._first(programs, lambda program: self.called(program, name), needed=True)

    def called(self, program: Sequence[str], name: str) -> Container | None:
        """Return the container of a name as it is now, or ``None``.

        Raises: BackupError (``unreachable``), when the engine does not tell.
        """
        argv = (*program, "inspect", "--type", "container", name)
        finished = self._run(argv)
        if finished.exit_code != 0:
            if "no such" in finished.stderr.lower():
                return None
            raise _refused(argv, finished)
        rows: Any = json.loads(finished.stdout)
        return _container(tuple(program), rows[0], self._digest(program, rows[0])) if rows else None

    def mounting(self, wanted: str, sources: Sequence[str]) -> list[Container]:
        """Return the running containers of every engine that mount one of these folders, or something in or above it.

        Raises: BackupError (``unreachable``), when one of the engines does not tell.
        """
        return [each for program in self.engines(wanted) for each in self._mounting(program, sources)]

    def of_project(self, wanted: str, project: str) -> list[Container]:
        """Return the containers of a compose project; none where no engine is installed.

        Raises: BackupError (``unreachable``), when it is in no engine that answers, and one does not.
        """

        def look(program: tuple[str, ...]) -> list[Container]:
            label = f"label={PROJECT_LABEL}={project}"
            names = self._asked(*program, "ps", "-a", "-q", "--no-trunc", "--filter", label).split()
            return [each for name in names if (each := self.called(program, name)) is not None]

        return self._first(self.engines(wanted), look, needed=False) or []

    def _mounting(self, program: tuple[str, ...], sources: Sequence[str]) -> list[Container]:
        try:
            ids = self._asked(*program, "ps", "-q", "--no-trunc").split()
        except EngineOff as off:
            self._tell(off)
            return []
        found = [each for container_id in ids if (each := self.called(program, container_id)) is not None]
        return [
            each for each in found if any(_overlap(mount.source, source) for mount in each.mounts for source in sources)
        ]

    def _first(
        self,
        programs: Sequence[tuple[str, ...]],
        look: Callable[[tuple[str, ...]], _Found | None],
        *,
        needed: bool,
    ) -> _Found | None:
        """Return what the first engine that has it finds; that none has it counts only when each has answered."""
        off: list[EngineOff] = []
        silent: list[BackupError] = []
        for program in programs:
            try:
                if found := look(program):
                    return found
            except EngineOff as error:
                off.append(error)
            except BackupError as error:
                if error.error_id not in {ErrorId.UNREACHABLE, ErrorId.NO_TOOL}:
                    raise
                silent.append(error)
        if silent or (needed and programs and len(off) == len(programs)):
            raise (*silent, *off)[0]
        for each in off:
            self._tell(each)
        return None

    def _tell(self, off: "EngineOff") -> None:
        if str(off) not in self._told:
            self._told.add(str(off))
            self._say(f"{off}; it counts as one without containers")

    def _in_engine(
        self, program: tuple[str, ...], module: Module, wanted: "ContainerRef | str | None"
    ) -> Container | None:
        if isinstance(wanted, ContainerRef):
            return self._one(program, module, self._labelled(program, wanted.service, wanted.project))
        if wanted:
            return self._one(program, module, self._called(program, wanted))
        ids = (
            self._of_runbook(program, module)
            or self._labelled(program, module.name, "")
            or self._called(program, module.name)
        )
        return self._one(program, module, ids)

    def _of_runbook(self, program: Sequence[str], module: Module) -> list[str]:
        if module.runbook is None:
            return []
        text = module.runbook.read_text(encoding="utf-8", errors="replace")
        named = {found["named"] for found in _IN_RUNBOOK.finditer(text) if found["named"]}
        used = {found["used"] for found in _IN_RUNBOOK.finditer(text) if found["used"]}
        return [each for name in sorted(named or used) for each in self._called(program, name)]

    def _labelled(self, program: Sequence[str], service: str, project: str) -> list[str]:
        argv = [*program, "ps", "-a", "-q", "--no-trunc", "--filter", f"label={SERVICE_LABEL}={service}"]
        if project:
            argv += ["--filter", f"label={PROJECT_LABEL}={project}"]
        return self._asked(*argv).split()

    def _called(self, program: Sequence[str], name: str) -> list[str]:
        argv = (*program, "ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}", "--filter", f"name={name}")
        rows = (line.split(maxsplit=1) for line in self._asked(*argv).splitlines() if line.strip())
        return [row[0] for row in rows if len(row) > 1 and name in row[1].strip().split(",")]

    def _one(self, program: Sequence[str], module: Module, ids: Sequence[str]) -> Container | None:
        found = [each for name in ids if (each := self.called(program, name)) is not None]
        if len(found) > 1:
            names = " and ".join(sorted(each.name for each in found))
            raise BackupError(
                ErrorId.AMBIGUOUS,
                f"{module.name} may be the containers {names}",
                hint="name one with container: in its definition, or its project with {service, project}",
            )
        return found[0] if found else None

    def _digest(self, program: Sequence[str], row: dict[str, Any]) -> str:
        if row.get("ImageDigest"):
            return str(row["ImageDigest"])
        argv = (*program, "image", "inspect", "--format", "{{json .RepoDigests}}", str(row.get("Image", "")))
        finished = self._run(argv)
        if finished.exit_code != 0:
            return ""
        try:
            digests = json.loads(finished.stdout) or []
        except ValueError:
            return ""
        return str(digests[0]).rpartition("@")[2] if digests else ""

    def _asked(self, *argv: str) -> str:
        """Return what the engine prints.

        Raises: BackupError (``unreachable``), when it fails.
        """
        finished = self._run(argv)
        if finished.exit_code != 0:
            raise _refused(argv, finished)
        return finished.stdout

    def _run(self, argv: tuple[str, ...]) -> Finished:
        """Raises: BackupError: ``no-tool``; ``unreachable``, when it does not answer in time."""
        try:
            return self._executor.run(Command(argv=argv, timeout_s=_PATIENCE_S))
        except NoSuchProgram as error:
            raise BackupError(ErrorId.NO_TOOL, str(error), hint=error.hint) from error
        except ProgramTimedOut as error:
            said = f"{argv[0]} does not tell which containers there are: no answer in {error.timeout_s:g} s"
            raise BackupError(ErrorId.UNREACHABLE, said, hint=_hint(argv[0])) from error


def _refused(argv: Sequence[str], finished: Finished) -> BackupError:
    said = " ".join(finished.stderr.split())[-300:] or f"exit code {finished.exit_code}"
    if any(words in said.lower() for words in _NOBODY_LISTENS):
        return EngineOff(argv[0])
    message = f"{argv[0]} does not tell which containers there are: {said}"
    return BackupError(ErrorId.UNREACHABLE, message, hint=_hint(argv[0]))


def _hint(program: str) -> str:
    return f"see: {program} ps; for a module without a container: container_engine: {NO_ENGINE}"


def _container(program: tuple[str, ...], row: dict[str, Any], digest: str) -> Container:
    state, config = row.get("State") or {}, row.get("Config") or {}
    health = state.get("Health") or state.get("Healthcheck") or {}
    return Container(
        program=program,
        id=str(row.get("Id", "")),
        name=str(row.get("Name", "")).removeprefix("/"),
        image=str(row.get("ImageName") or config.get("Image") or ""),
        image_digest=digest,
        running=bool(state.get("Running")),
        paused=bool(state.get("Paused")),
        healthy=str(health.get("Status") or ""),
        mounts=tuple(
            Mounted(
                source=str(mount.get("Source", "")),
                destination=str(mount.get("Destination", "")),
                type=str(mount.get("Type", "bind")),
            )
            for mount in row.get("Mounts") or ()
        ),
        labels={str(key): str(value) for key, value in (config.get("Labels") or {}).items()},
        pid=int(state.get("Pid") or 0),
    )


def _overlap(one: str, other: str) -> bool:
    first, second = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return first.startswith(second) or second.startswith(first)
