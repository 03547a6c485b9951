"""Fixtures of tests of shipping: a lab host, and a receiver that answers as the test tells it. For their conftests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lab_hosts import LabHost, lab_host
from tests.support.stand_in_receiver import StandIn, receiving


@pytest.fixture
def receiver() -> Iterator[StandIn]:
    """Give a receiver that answers as it is told."""
    with receiving() as state:
        yield state


@pytest.fixture
def host(tmp_path: Path, receiver: StandIn) -> LabHost:
    """Give a lab host that ships to it."""
    return lab_host(tmp_path, receiver.url)
