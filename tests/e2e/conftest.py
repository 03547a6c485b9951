"""What end-to-end tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.media_server import MediaServer, media_server
from tests.support.media_shop import Shop


@pytest.fixture
def media_host() -> Iterator[MediaServer]:
    """Give a running media server."""
    with media_server() as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, media_host: MediaServer) -> Shop:
    """Give a target whose channel file names media of that server."""
    return Shop(tmp_path, media_host)
