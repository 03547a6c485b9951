"""What tests of Redis share."""

from collections.abc import Iterator

import pytest

from tests.support.redis_server import Redis, fill, redis_server


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    """Give a server with keys of several kinds in three databases, which writes append-only files."""
    with redis_server("--appendonly", "yes") as running:
        fill(running)
        yield running
