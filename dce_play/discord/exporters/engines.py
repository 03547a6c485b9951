"""Which container engine is here. What a readiness check reports is what a run uses: there is one detection."""

import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.process.executor import Command, Executor, NoSuchProgram, ProgramTimedOut

COMPOSE_VARIABLE = "DCE_COMPOSE_BIN"
DOCKER_VARIABLE = "DCE_DOCKER_BIN"
_ASK_TIMEOUT_S = 30.0


class Family(StrEnum):
    """Whose containers an engine runs."""

    DOCKER = "docker"
    PODMAN = "podman"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A container engine that answers."""

    argv: tuple[str, ...]
    """What ``run`` is appended to: ``docker compose``, ``podman-compose``, ``podman``."""
    family: Family
    compose: bool
    control: tuple[str, ...]
    """The plain engine below, for looking at containers and removing them."""

    @property
    def name(self) -> str:
        """For people: ``podman-compose``, ``docker compose``."""
        return " ".join(self.argv)


class NoEngine(DcePlayError):
    """No container engine answers."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, tried: str) -> None:
        super().__init__(f"no container engine answers: {tried}", hint="Install Docker or Podman with compose support.")


def detect_engine(executor: Executor, environ: Mapping[str, str], /) -> Engine:
    """Return the container engine to use.

    ``DCE_COMPOSE_BIN`` wins, then ``DCE_DOCKER_BIN`` with ``compose``; both are taken at their word. Otherwise the
    first that answers: podman-compose, docker-compose, ``docker compose``, and without compose podman, docker.

    Raises: NoEngine.
    """
    named = _named(environ)
    if named is not None:
        return named
    for engine, question in _candidates(environ):
        if _answers(executor, question):
            return engine
    raise NoEngine("tried podman-compose, docker-compose, docker compose, podman and docker")


def _named(environ: Mapping[str, str]) -> Engine | None:
    path = environ.get("PATH", "")
    docker = environ.get(DOCKER_VARIABLE, "")
    compose = shlex.split(environ.get(COMPOSE_VARIABLE, ""))
    for variable, program in ((COMPOSE_VARIABLE, compose[0] if compose else ""), (DOCKER_VARIABLE, docker)):
        if program and shutil.which(program, path=path) is None:
            raise NoEngine(f"{variable} is {program}, which cannot be run")
    if compose:
        family = Family.PODMAN if "podman" in compose[0].rpartition("/")[2] else Family.DOCKER
        return Engine(argv=tuple(compose), family=family, compose=True, control=(docker or family.value,))
    if docker:
        family = Family.PODMAN if "podman" in docker.rpartition("/")[2] else Family.DOCKER
        return Engine(argv=(docker, "compose"), family=family, compose=True, control=(docker,))
    return None


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[Engine, tuple[str, ...]]]:
    """Yield each engine that is installed, with the question that it has to answer."""
    path = environ.get("PATH", "")

    def installed(*programs: str) -> bool:
        return all(shutil.which(program, path=path) for program in programs)

    podman, docker = (Family.PODMAN.value,), (Family.DOCKER.value,)
    if installed("podman-compose", "podman"):
        engine = Engine(argv=("podman-compose",), family=Family.PODMAN, compose=True, control=podman)
        yield engine, ("podman", "info")
    if installed("docker-compose"):
        engine = Engine(argv=("docker-compose",), family=Family.DOCKER, compose=True, control=docker)
        yield engine, ("docker-compose", "version")
    if installed("docker"):
        engine = Engine(argv=("docker", "compose"), family=Family.DOCKER, compose=True, control=docker)
        yield engine, ("docker", "compose", "version")
    if installed("podman"):
        yield Engine(argv=podman, family=Family.PODMAN, compose=False, control=podman), ("podman", "info")
    if installed("docker"):
        yield Engine(argv=docker, family=Family.DOCKER, compose=False, control=docker), ("docker", "version")


def _answers(executor: Executor, question: tuple[str, ...]) -> bool:
    try:
        return executor.run(Command(argv=question, timeout_s=_ASK_TIMEOUT_S, is_question=True)).exit_code == 0
    except (NoSuchProgram, ProgramTimedOut):
        return False
