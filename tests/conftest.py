"""Fixtures of the whole suite: real servers, each started once a run and only when a test asks for it."""

from collections.abc import Iterator

import pytest

from tests.support.real_engines import SeaweedFS, seaweedfs


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """Give a running SeaweedFS."""
    with seaweedfs(tmp_path_factory.mktemp("seaweed")) as running:
        yield running
