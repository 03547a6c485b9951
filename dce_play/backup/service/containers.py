"""Which container a module is, and what its engine tells of it."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from dce_play.backup.definitions.model import ContainerRef, Module
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Container, Mounted
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.process.executor import Command, Executor, Finished

PROGRAM_VARIABLE = "DCE_DOCKER_BIN"
SERVICE_LABEL = "com.docker.compose.service"
PROJECT_LABEL = "com.docker.compose.project"
_PROGRAMS = ("podman", "docker")
_PATIENCE_S = 30.0
_IN_RUNBOOK = re.compile(
    r"^\s*[-*`]*\s*container:\s*[`\"']?(?P<named>[A-Za-z0-9][A-Za-z0-9_.-]*)"
    r"|\b(?:docker|podman)\s+(?:exec|logs|restart)\s+(?:-\S+\s+)*(?P<used>[A-Za-z0-9][A-Za-z0-9_.-]*)",
    re.MULTILINE,
)


class Containers:
    """Looks containers up, anew each time: their ids change."""

    def __init__(self, executor: Executor, environment: Mapping[str, str]) -> None:
        self._executor = executor
        self._environment = environment

    def of_module(self, module: Module) -> Container | None:
        """Return a module's container, or ``None`` for a module without one.

        Raises: BackupError: ``ambiguous``; ``not-found``, ``no-tool`` or ``unreachable``, when the definition names a
        container.
        """
        wanted = module.keys.container or module.runtime_container
        program = self.program(module.keys.container_engine, needed=bool(wanted))
        if program is None:
            return None
        if isinstance(wanted, ContainerRef):
            return self._one(
                program, module, self._labelled(program, wanted.service, wanted.project), named=str(wanted)
            )
        if wanted:
            return self._one(program, module, self._called(program, wanted), named=wanted)
        for found in (
            self._of_runbook(program, module),
            self._labelled(program, module.name, ""),
            self._called(program, module.name),
        ):
            if found:
                return self._one(program, module, found, named="")
        return None

    def program(self, wanted: str, *, needed: bool) -> tuple[str, ...] | None:
        """Return the engine's program: what the environment or the definition names, else the first that answers.

        Raises: BackupError (``no-tool``, ``unreachable``), when one is needed and there is none.
        """
        named = self._environment.get(PROGRAM_VARIABLE) or wanted
        candidates = [named] if named else [each for each in _PROGRAMS if shutil.which(each)]
        said = ""
        for candidate in candidates:
            try:
                finished = self._run((candidate, "ps", "-q", "--last", "1"))
            except DcePlayError as error:
                said = str(error)
                continue
            if finished.exit_code == 0:
                return (candidate,)
            said = f"{candidate}: {finished.stderr.strip()}"
        if not needed:
            return None
        if not candidates:
            raise BackupError(ErrorId.NO_TOOL, "neither podman nor docker is installed")
        raise BackupError(ErrorId.UNREACHABLE, f"no container engine answers: {said}")

    def called(self, program: Sequence[str], name: str) -> Container | None:
        """Return the container of a name as it is now, or ``None``."""
        finished = self._run((*program, "inspect", "--type", "container", name))
        if finished.exit_code != 0:
            return None
        rows: Any = json.loads(finished.stdout)
        return _container(tuple(program), rows[0], self._digest(program, rows[0])) if rows else None

    def mounting(self, program: Sequence[str], sources: Sequence[str]) -> list[Container]:
        """Return the running containers that mount one of these folders, or something in it, or above it.

        Raises: BackupError (``unreachable``), when the engine does not tell.
        """
        finished = self._run((*program, "ps", "-q", "--no-trunc"))
        if finished.exit_code != 0:
            raise BackupError(ErrorId.UNREACHABLE, f"{program[0]} does not tell what runs: {finished.stderr.strip()}")
        found = []
        for container_id in finished.stdout.split():
            container = self.called(program, container_id)
            if container is not None and any(
                _overlap(mount.source, source) for mount in container.mounts for source in sources
            ):
                found.append(container)
        return found

    def of_project(self, program: Sequence[str], project: str) -> list[Container]:
        """Return the containers of a compose project."""
        finished = self._run((*program, "ps", "-a", "-q", "--no-trunc", "--filter", f"label={PROJECT_LABEL}={project}"))
        return [each for name in finished.stdout.split() if (each := self.called(program, name)) is not None]

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
        return self._run(tuple(argv)).stdout.split()

    def _called(self, program: Sequence[str], name: str) -> list[str]:
        argv = (*program, "ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}", "--filter", f"name={name}")
        rows = (line.split(maxsplit=1) for line in self._run(argv).stdout.splitlines() if line.strip())
        return [row[0] for row in rows if len(row) > 1 and name in row[1].strip().split(",")]

    def _one(self, program: Sequence[str], module: Module, ids: Sequence[str], *, named: str) -> Container:
        found = [each for name in ids if (each := self.called(program, name)) is not None]
        if len(found) > 1:
            names = " and ".join(sorted(each.name for each in found))
            raise BackupError(
                ErrorId.AMBIGUOUS,
                f"{module.name} may be the containers {names}",
                hint="name one with container: in its definition, or its project with {service, project}",
            )
        if not found:
            raise BackupError(
                ErrorId.NOT_FOUND,
                f"no container {named} for {module.name}",
                hint=f"{program[0]} ps -a",
                exit_code=ExitCode.PREFLIGHT,
            )
        return found[0]

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

    def _run(self, argv: tuple[str, ...]) -> Finished:
        return self._executor.run(Command(argv=argv, timeout_s=_PATIENCE_S))


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
