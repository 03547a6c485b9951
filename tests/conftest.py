"""Fixtures of the whole suite: real servers, each started once a run and only when a test asks for it."""

import importlib
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.podman import Podman, own_podman
from tests.support.postgres_server import Postgres, postgres_server
from tests.support.postgres_server import fill as fill_postgres
from tests.support.real_engines import OpenBao, SeaweedFS, openbao, seaweedfs

TESTS = Path(__file__).parent


def pytest_configure() -> None:
    """Listen to Ctrl-C again: a shell starts what is in the background with SIGINT ignored, and children inherit that.

    Tests that send it to a program would otherwise wait for ever.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # How long an example takes is the machine's affair, and a busy one fails no test. In another user's checkout there
    # is no place for what Hypothesis remembers.
    remembered = {} if os.access(Path.cwd(), os.W_OK) else {"database": None}
    settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow], **remembered)
    settings.load_profile("ours")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Import a share of the test modules before all are collected, where several processes collect the whole suite.

    A module whose assertions were never rewritten costs more to collect than to test. Each process rewrites its share
    and finds what the others wrote beside it. What cannot be imported is told when it is collected.
    """
    ours: dict[str, Any] = getattr(session.config, "workerinput", {})
    if not ours or TESTS not in {Path(given).resolve() for given in session.config.args}:
        return
    number, count = int(ours["workerid"].removeprefix("gw")), int(ours["workercount"])
    for path in sorted(TESTS.rglob("test_*.py"))[number::count]:
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, aloud, what is marked as root's when somebody else runs the suite."""
    if os.geteuid() != 0:
        for item in items:
            if item.get_closest_marker("root") is not None:
                item.add_marker(pytest.mark.skip(reason="needs uid 0"))


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """Give a running SeaweedFS."""
    with seaweedfs(tmp_path_factory.mktemp("seaweed")) as running:
        yield running


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """Give a running OpenBao with raft storage."""
    with openbao(tmp_path_factory.mktemp("bao")) as running:
        yield running


@pytest.fixture(scope="session")
def bao_in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """Give a running OpenBao whose storage is not raft."""
    with openbao(tmp_path_factory.mktemp("bao-in-memory"), storage="inmem") as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give a running PostgreSQL with some databases. For tests that only read."""
    with postgres_server() as running:
        fill_postgres(running)
        yield running


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[Postgres]:
    """Give a running PostgreSQL for tests that change it: each makes what it needs, and removes it."""
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """Give a container engine of the tests' own; each test removes the containers that it makes."""
    with own_podman(tmp_path_factory.mktemp("podman")) as running:
        yield running
