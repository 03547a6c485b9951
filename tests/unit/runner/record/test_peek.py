"""The two ends of a journal, whatever lies between them."""

import json
from pathlib import Path

import pytest

from dce_play.runner.record.peek import Peek, last_lines, peek
from tests.support.bounds import at_most


def journal(folder: Path, *lines: bytes) -> Path:
    """Write a journal of these lines, as they are."""
    path = folder / "events.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def line(**facts: object) -> bytes:
    return json.dumps(facts).encode() + b"\n"


def test_only_the_two_ends_are_read(tmp_path: Path) -> None:
    seen = peek(journal(tmp_path, line(seq=1), b"\x00garbage\n" * 100_000, line(seq=3)))
    assert (seen.first, seen.last, seen.damage) == ({"seq": 1}, {"seq": 3}, "")


def test_a_torn_last_line_does_not_count(tmp_path: Path) -> None:
    seen = peek(journal(tmp_path, line(seq=1), line(seq=2), b'{"seq": 3'))
    assert (seen.last, seen.damage) == ({"seq": 2}, "")


@pytest.mark.parametrize("size", [10, 16 << 10, 100_000])
def test_long_lines_are_read_whole(tmp_path: Path, size: int) -> None:
    seen = peek(journal(tmp_path, line(text="a" * size), line(text="b" * size)))
    assert seen.first == {"text": "a" * size}
    assert seen.last == {"text": "b" * size}


@pytest.mark.parametrize("data", [b"", b'{"seq": 1'])
def test_a_journal_without_a_whole_line_is_empty(tmp_path: Path, data: bytes) -> None:
    seen = peek(journal(tmp_path, data))
    assert (seen.first, seen.last, seen.damage) == ({}, {}, "")


@pytest.mark.parametrize(
    ("lines", "first", "damage"),
    [
        ((b"garbage\n", line(seq=2)), {}, "line 1 is no event: not JSON"),
        ((line(seq=1), b"\xff\xfe\n"), {"seq": 1}, "the last line is no event: not JSON"),
        ((line(seq=1), b"[1]\n"), {"seq": 1}, "the last line is no event: not a JSON object"),
        ((line(seq=1), b"[" * 200_000 + b"\n"), {"seq": 1}, "the last line is no event: not JSON"),
    ],
)
def test_an_end_that_is_no_event_is_told(
    tmp_path: Path, lines: tuple[bytes, ...], first: dict[str, int], damage: str
) -> None:
    seen = peek(journal(tmp_path, *lines))
    assert (seen.first, seen.last, seen.damage) == (first, {}, damage)


def test_the_last_lines_are_whole_ones(tmp_path: Path) -> None:
    path = journal(tmp_path, *(line(seq=number, text="x" * 100) for number in range(1_000)), b"{torn")
    with path.open("rb") as file:
        found = [json.loads(each)["seq"] for each in last_lines(file.fileno(), path.stat().st_size, 32 << 10)]
    assert found == list(range(found[0], 1_000))
    assert len(found) > 200


@pytest.mark.parametrize("place", ["line 1", "the last line"])
def test_a_line_of_a_journal_has_an_end(tmp_path: Path, place: str) -> None:
    def whole(size: int) -> bytes:
        return b'{"a": "' + b"x" * (size - 9) + b'"}'

    def peeked(size: int, torn: bytes = b"") -> Peek:
        long, short = whole(size) + b"\n", line(seq=1)
        return peek(journal(tmp_path, *((long, short) if place == "line 1" else (short, long)), torn))

    longest = at_most("runner.record.peek:_LONGEST_LINE_BYTES")
    for torn in (b"", b"x" * longest):
        seen = peeked(longest, torn)
        assert seen.damage == ""
        assert "a" in (seen.first if place == "line 1" else seen.last)
    assert peeked(longest + 1).damage == f"{place} is no event: a line of more than {longest >> 20} MiB"
    assert peek(journal(tmp_path, b"x" * (longest + 1))).damage.startswith("line 1 is no event")
