"""Ids, and the names of folders whose id was taken."""

import pytest

from dce_play.transfer.ids import EpisodeId, episode_id, free_name, is_commit, split_name


@pytest.mark.parametrize("text", ["a", "A9._-x", "0", "x" * 128, "a.json.x", "zst", "a.."])
def test_what_the_rule_takes_is_an_id(text: str) -> None:
    assert episode_id(text) == text


@pytest.mark.parametrize(
    "text",
    ["", ".a", "-a", "_a", "a/b", "a b", "a\n", "ä", "x" * 129, "a.json", "a.part", "a.zst", "a.tar.zst", "a~2", "a\0"],
)
def test_what_the_rule_does_not_take_is_none(text: str) -> None:
    assert episode_id(text) is None


def test_a_taken_name_gets_the_next_number_that_is_free() -> None:
    taken = {"a", "a~2", "a~4"}
    assert free_name(EpisodeId("a"), taken.__contains__) == "a~3"
    assert free_name(EpisodeId("b"), taken.__contains__) == "b"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a", ("a", 1)),
        ("a~2", ("a", 2)),
        ("a~10", ("a", 10)),
        ("a~1", None),
        ("a~02", None),
        ("a~2~2", None),
        ("~2", None),
    ],
)
def test_a_name_is_told_apart_into_id_and_number(name: str, found: tuple[str, int] | None) -> None:
    assert split_name(name) == found


def test_a_commit_is_forty_lower_case_hex_digits() -> None:
    assert is_commit("0a" * 20)
    assert not any(map(is_commit, ["0A" * 20, "0a" * 19, "0a" * 20 + "\n", None, 5, ["0a" * 20]]))
