"""How fast media come, and whom they may come from: a name that leads inside is refused before it is connected to."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce_play.discord.media.network import MediaBackend, PrivateAddress
from dce_play.discord.media.pace import Pace
from dce_play.discord.media_store.hosts import Hosts, is_public
from dce_play.system.guarded_network import Guard
from tests.support.fakes import FakeClock


def nothing() -> None:
    """Never stop."""


@pytest.mark.contract("M5")
@settings(max_examples=50)
@given(blocks=st.lists(st.integers(1, 300_000), min_size=1, max_size=40), limit=st.integers(10_000, 1_000_000))
def test_bytes_come_no_faster_than_the_limit_over_all_threads(blocks: list[int], limit: int) -> None:
    clock = FakeClock()
    pace = Pace(limit, clock=clock)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda size: pace.wait(size, nothing), blocks))
    assert clock.monotonic() >= sum(blocks) / limit - 0.001


def test_without_a_limit_nobody_waits() -> None:
    clock = FakeClock()
    Pace(None, clock=clock).wait(10**12, nothing)
    assert clock.sleeps == []


@pytest.mark.contract("M6")
def test_a_name_that_leads_to_this_machine_is_refused_though_something_listens_there() -> None:
    """``localhost`` stands for any name whose owner lets it lead inside."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        backend = MediaBackend(Guard(FakeClock()), Hosts())
        with pytest.raises(PrivateAddress):
            backend.connect_tcp("localhost", listener.getsockname()[1])
        with pytest.raises(PrivateAddress):
            backend.connect_tcp("127.0.0.1", listener.getsockname()[1])


@pytest.mark.contract("M6")
def test_a_server_that_was_named_by_its_own_address_may_be_here_and_no_other_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        backend = MediaBackend(Guard(FakeClock()), Hosts([f"http://127.0.0.1:{port}"]))
        backend.connect_tcp("127.0.0.1", port).close()
        with pytest.raises(PrivateAddress):
            backend.connect_tcp("127.0.0.1", port + 1)


@pytest.mark.contract("M6")
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3",
        "2002:7f00:1::", "64:ff9b:1::7f00:1", "64:ff9b::10.1.2.3", "::10.1.2.3", "ff02::1", "not an address",
    ],
)  # fmt: skip
def test_addresses_that_lead_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.contract("M6")
@pytest.mark.parametrize(
    "address", ["162.159.135.233", "2606:4700::6810:84e5", "64:ff9b::162.159.135.233", "::ffff:162.159.135.233"]
)
def test_addresses_of_the_open_internet_are(address: str) -> None:
    assert is_public(address)
