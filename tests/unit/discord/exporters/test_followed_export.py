"""A growing export is counted as it grows, whatever the pieces it is written in."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.exporters.followed_export import FollowedExport

GOLD = Path(__file__).parents[3] / "data" / "gold"


@pytest.mark.parametrize("name", ["stub-rich", "stub-empty", "stub-th", "sb-general"])
def test_a_whole_export_is_counted_and_known_to_be_whole(name: str) -> None:
    path = GOLD / name / "expected.json"
    messages = json.loads(path.read_bytes())["messages"]
    follower = FollowedExport(path)
    assert follower.read_on()
    assert follower.message_count == len(messages)
    assert follower.last_id == (messages[-1]["id"] if messages else None)
    assert follower.last_timestamp == (messages[-1]["timestamp"] if messages else "")
    assert follower.is_whole
    assert not follower.read_on()


@given(cuts=st.lists(st.integers(0, 28_225), max_size=12).map(sorted))
def test_the_pieces_in_which_it_is_written_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    whole = (GOLD / "stub-rich" / "expected.json").read_bytes()
    path = tmp_path_factory.mktemp("followed") / "export.json"
    follower = FollowedExport(path)
    assert not follower.read_on()
    with path.open("wb", buffering=0) as file:
        for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            file.write(whole[start:end])
            follower.read_on()
            assert follower.is_whole == (end >= len(whole))
    assert follower.message_count == len(json.loads(whole)["messages"])


@pytest.mark.contract("R-16.05")
def test_an_export_cut_anywhere_is_not_whole(tmp_path: Path) -> None:
    whole = (GOLD / "stub-th" / "expected.json").read_bytes()
    path = tmp_path / "export.json"
    with path.open("wb", buffering=0) as growing:
        for size in range(len(whole)):
            follower = FollowedExport(path)
            follower.read_on()
            assert not follower.is_whole, size
            growing.write(whole[size : size + 1])
    assert path.read_bytes() == whole


def test_a_wrong_message_count_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(
        (GOLD / "stub-th" / "expected.json").read_bytes().replace(b'"messageCount": 3', b'"messageCount": 4')
    )
    follower = FollowedExport(path)
    follower.read_on()
    assert follower.message_count == 3
    assert not follower.is_whole


def test_a_file_begun_anew_is_counted_anew(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_bytes((GOLD / "stub-rich" / "expected.json").read_bytes())
    follower = FollowedExport(path)
    follower.read_on()
    path.write_bytes((GOLD / "stub-th" / "expected.json").read_bytes())
    follower.read_on()
    assert follower.message_count == 3
    assert follower.is_whole
