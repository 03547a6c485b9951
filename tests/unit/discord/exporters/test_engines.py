"""Engine detection, with stand-in engines on a PATH of the test's own."""

from pathlib import Path

import pytest

from dce_play.discord.exporters.engines import Engine, Family, NoEngine, detect_engine
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker
from tests.standins.bench import EngineBench

ALL = ("podman info", "docker-compose version", "docker compose version", "docker version")


def detect(bench: EngineBench, **environ: str) -> Engine:
    return detect_engine(LocalExecutor(bench.environ, Masker()), bench.environ | environ)


@pytest.mark.contract("R-9.04", "R-13.02", "R-15.05")
@pytest.mark.parametrize(
    ("installed", "answers", "expected"),
    [
        (("podman-compose", "podman", "docker", "docker-compose"), ALL, "podman-compose"),
        (("podman-compose", "podman", "docker", "docker-compose"), ALL[1:], "docker-compose"),
        (("docker", "docker-compose"), ALL, "docker-compose"),
        (("docker",), ALL, "docker compose"),
        (("docker", "podman"), ALL, "docker compose"),
        (("docker", "podman"), ("podman info", "docker version"), "podman"),
        (("podman",), ALL, "podman"),
        (("docker",), ("docker version",), "docker"),
        (("podman-compose", "docker"), ALL, "docker compose"),
    ],
)
def test_the_first_engine_that_answers_is_used(
    tmp_path: Path, installed: tuple[str, ...], answers: tuple[str, ...], expected: str
) -> None:
    engine = detect(EngineBench(tmp_path, *installed, answers=answers))
    assert engine.name == expected
    assert engine.family == (Family.PODMAN if "podman" in expected else Family.DOCKER)
    assert engine.control == (engine.family.value,)
    assert engine.compose == ("compose" in expected)


@pytest.mark.contract("R-13.12")
def test_no_engine_is_said_in_one_line_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoEngine) as caught:
        detect(EngineBench(tmp_path, "podman", "docker"))
    assert caught.value.hint == "Install Docker or Podman with compose support."


@pytest.mark.contract("R-13.02", "V-03")
def test_a_named_compose_wins_over_a_named_docker_over_what_is_installed(tmp_path: Path) -> None:
    bench = EngineBench(tmp_path, "podman-compose", "podman", "docker", "my-docker", "my-podman-compose", answers=ALL)
    named = detect(bench, DCE_DOCKER_BIN="my-docker")
    assert (named.argv, named.control, named.family) == (("my-docker", "compose"), ("my-docker",), Family.DOCKER)
    both = detect(bench, DCE_DOCKER_BIN="my-docker", DCE_COMPOSE_BIN="my-podman-compose --verbose")
    assert (both.argv, both.control, both.family) == (("my-podman-compose", "--verbose"), ("my-docker",), Family.PODMAN)
    assert bench.calls == []


@pytest.mark.contract("R-13.12")
@pytest.mark.parametrize("variable", ["DCE_COMPOSE_BIN", "DCE_DOCKER_BIN"])
def test_a_named_engine_that_is_not_there_is_named(tmp_path: Path, variable: str) -> None:
    with pytest.raises(NoEngine, match=f"{variable} is /nowhere/engine"):
        detect(EngineBench(tmp_path, "podman", answers=ALL), **{variable: "/nowhere/engine"})
