"""What the tests of the exporter share."""

from collections.abc import Iterator

import pytest

from tests.support.fakes import FakeClock
from tests.support.scripted_discord import ScriptedDiscord, running_discord


@pytest.fixture
def discord() -> Iterator[ScriptedDiscord]:
    with running_discord() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
