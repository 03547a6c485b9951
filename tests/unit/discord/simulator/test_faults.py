"""Faults are played as scripted: which requests, how often, in which order."""

from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.simulator.faults import Dropped, Fault, Faults, FaultScript, Garbage


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 12))
def test_a_fault_spares_so_many_then_hits_so_many(skip: int, times: int, requests: int) -> None:
    script = FaultScript(Faults(scripted=(Fault(trouble=Dropped(), skip=skip, times=times),)))
    hit = [script.next("/users/@me") is not None for _ in range(requests)]
    assert hit == [skip <= number < skip + times for number in range(requests)]


def test_a_fault_that_is_used_up_lets_the_next_one_act() -> None:
    script = FaultScript(Faults(scripted=(Fault(trouble=Dropped()), Fault(trouble=Garbage(), times=None))))
    assert [script.next("/x") for _ in range(3)] == [Dropped(), Garbage(), Garbage()]


def test_only_paths_that_match_count() -> None:
    script = FaultScript(Faults(scripted=(Fault(path="/channels/*/messages?*after=0", trouble=Dropped()),)))
    assert script.next("/channels/1") is None
    assert script.next("/channels/1/messages?limit=100&after=7") is None
    assert script.next("/channels/1/messages?limit=100&after=0") == Dropped()
