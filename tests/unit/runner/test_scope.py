"""Names and loop items."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.runner.scope import DuplicateItems, Scope, item_keys

plain_items = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(plain_items, max_size=8))
def test_keys_are_stable_unique_and_fit_into_an_id(items: list[object]) -> None:
    try:
        keys = item_keys(items)
    except DuplicateItems:
        return
    assert len(keys) == len(items)
    assert keys == item_keys(items)
    for key in keys:
        assert key
        assert not set(key) & set("[]/\n\x00")


@given(st.lists(st.integers(), min_size=2, unique=True))
def test_reordering_items_reorders_their_keys(numbers: list[int]) -> None:
    items: list[object] = [{"payload": number} for number in numbers]
    assert item_keys(items)[::-1] == item_keys(items[::-1])


def test_a_name_or_an_id_is_the_key() -> None:
    assert item_keys([{"name": "a", "id": "1"}, {"id": "2"}, "text", 7]) == ["a", "2", "text", "7"]


def test_equal_items_are_refused() -> None:
    with pytest.raises(DuplicateItems, match="a"):
        item_keys(["a", "a"])


def test_registering_reaches_out_of_blocks_and_stops_at_a_loop_item() -> None:
    top = Scope(names={}, environment={})
    block = top.inside(path="block")
    block.register("seen", 1)
    item = block.for_item("item", "a", "a")
    item.register("hidden", 2)
    assert top.names == {"seen": 1}
    assert "hidden" not in block.names
    assert item.names["item"] == "a"
    assert Path(item.path) == Path("block")
