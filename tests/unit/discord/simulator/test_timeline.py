"""Message ids made from indexes: ordered, found again, stable under growth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.simulator.timeline import Timeline

START = 948_127_452_368_435_641


def timeline(count: int, *, salt: int = 1, interval_ms: int = 61_000, starter: bool = False) -> Timeline:
    return Timeline(start_id=START, interval_ms=interval_ms, salt=salt, count=count, starter=starter)


@given(st.integers(1, 400), st.integers(0, 1 << 40), st.integers(1, 100_000), st.booleans())
def test_ids_grow_with_the_index_and_are_found_again(count: int, salt: int, interval_ms: int, starter: bool) -> None:
    messages = timeline(count, salt=salt, interval_ms=interval_ms, starter=starter)
    ids = [int(messages.id_at(index)) for index in range(count)]
    assert ids == sorted(set(ids))
    assert ids[0] >= START
    assert [messages.index_of(str(identifier)) for identifier in ids] == list(range(count))
    assert messages.index_of(str(ids[-1] + 1)) is None


@given(st.integers(0, 300), st.integers(0, 300))
def test_growth_changes_no_id_that_was_there(before: int, more: int) -> None:
    messages = timeline(before)
    old = [messages.id_at(index) for index in range(before)]
    messages.count += more
    assert [messages.id_at(index) for index in range(before)] == old
    assert len(messages.above(0, 1000)) == before + more


@given(st.integers(1, 60), st.data())
def test_a_deleted_message_is_on_no_page(count: int, data: st.DataObject) -> None:
    messages = timeline(count)
    gone = data.draw(st.sets(st.integers(0, count - 1)))
    for index in gone:
        messages.delete(messages.id_at(index))
    left = [index for index in range(count) if index not in gone]
    assert messages.above(0, 1000) == left
    assert messages.newest(1000) == left[::-1]
    assert all(messages.index_of(messages.id_at(index)) is None for index in gone)


def test_what_is_not_there_can_be_neither_edited_nor_deleted() -> None:
    messages = timeline(2)
    messages.delete(messages.id_at(0))
    for change in (messages.edit, messages.delete):
        with pytest.raises(KeyError):
            change(messages.id_at(0))
