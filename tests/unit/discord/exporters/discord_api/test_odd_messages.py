"""A message that cannot be read is named and kept, whatever it was that reading it failed with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dce_play.discord.exporters.discord_api.odd_messages import OddMessages, UnreadableMessage


def far_too_deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


FAILURES: dict[str, Callable[[], object]] = {
    "ValueError": lambda: int("x"),
    "OverflowError": lambda: int(float("inf")),
    "KeyError": lambda: dict[str, str]()["x"],
    "IndexError": lambda: list[str]().pop(),
    "TypeError": lambda: len(7),  # type: ignore[arg-type]  # that is the failure
    "RecursionError": lambda: json.dumps(far_too_deep()),
}


@pytest.mark.contract("F-B7")
@pytest.mark.parametrize("name", FAILURES)
def test_whatever_reading_fails_with_the_message_is_named_and_kept(tmp_path: Path, name: str) -> None:
    kept = tmp_path / "odd.jsonl"
    odd = OddMessages("111", kept, stop=False)
    assert odd.read({"id": "7", "content": "odd"}, 7, FAILURES[name]) is None
    assert [(each.message_id, each.reason.partition(":")[0]) for each in odd.found] == [("7", name)]
    assert "odd" in kept.read_text(encoding="utf-8")
    with pytest.raises(UnreadableMessage, match=f"7.*{name}"):
        OddMessages("111", kept, stop=True).read({"id": "7"}, 7, FAILURES[name])
