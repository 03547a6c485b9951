"""Salvage of one file: every whole message is kept at every cut, in every layout, and nothing is lost on the way."""

import json
import random
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dce_play.discord.archive.salvage.repair import NothingToRecover, ReversedExport, find_boundary, salvage_file
from dce_play.discord.archive.scan.damage import Damage
from dce_play.discord.archive.scan.engine import ENGINES
from dce_play.discord.archive.scan.scanner import scan
from dce_play.system.durable.disk import Disk
from tests.support.bounds import at_most
from tests.support.dying_disk import Dies, DyingDisk
from tests.support.layouts import CHANNEL_ID, LAYOUTS, MESSAGES_FIRST, dce, export, message

DATA = Path(__file__).parents[4] / "data"
RICH = [
    message(1, "plain"),
    message(2, 'é 日本語 🎩 \u2028 "quoted" },\n    { \\ back'),
    message(3, "", embeds=[{"fields": [{"id": "1", "name": "]}"}]}]),
]


def load(path: Path) -> Any:
    return json.loads(path.read_bytes().decode("utf-8-sig"))


def message_ends(tmp_path: Path, data: bytes) -> list[int]:
    path = tmp_path / "whole.json"
    path.write_bytes(data)
    return [span.end for block in scan(path) for span in block.spans()]


def header_end(tmp_path: Path, data: bytes) -> int:
    """Return the length of the shortest prefix that has the ``[`` of the messages."""
    path = tmp_path / "whole.json"
    path.write_bytes(data)
    return find_boundary(path).head.start


class UnsyncedDisk(Disk):
    """A disk for many small files: fsync is what takes the time."""

    def sync(self, descriptor: int) -> None:
        """Leave it to the kernel."""

    def sync_folder(self, folder: Path) -> None:
        """Leave it to the kernel."""


def check_cuts(tmp_path: Path, data: bytes, cuts: Iterable[int]) -> None:
    """Salvage the file cut at each of these bytes, and compare with the messages that were whole there."""
    ends = message_ends(tmp_path, data)
    expected = json.loads(data.decode("utf-8-sig"))
    header = header_end(tmp_path, data)
    partial, out = tmp_path / "partial.json", tmp_path / "salvaged.json"
    for cut in cuts:
        for old in (partial, out):
            old.unlink(missing_ok=True)  # ext4 flushes a file that is replaced or truncated at once, a new one later
        partial.write_bytes(data[:cut])
        if cut < header:
            with pytest.raises(NothingToRecover):
                find_boundary(partial)
            continue
        whole = bisect_right(ends, cut)
        salvaged = salvage_file(partial, out, disk=UnsyncedDisk())
        value = load(out)
        assert value["messages"] == expected["messages"][:whole], cut
        assert value["messageCount"] == salvaged.message_count == whole, cut
        assert value["channel"] == expected["channel"]
        assert salvaged.size_bytes == out.stat().st_size
        assert salvaged.last_id == (value["messages"][-1]["id"] if whole else None)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.contract("R-4.07", "R-4.09", "D-13", "R-16.02")
def test_a_file_cut_at_any_byte_keeps_every_whole_message(tmp_path: Path, layout: str) -> None:
    data = LAYOUTS[layout](export(RICH))
    every = 1 if layout in {"dce", "minified"} else 7
    check_cuts(tmp_path, data, range(0, len(data), every))


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.json")), ids=lambda path: str(path.relative_to(DATA)))
@pytest.mark.contract("R-4.07")
def test_every_real_file_cut_at_many_bytes_keeps_every_whole_message(tmp_path: Path, path: Path) -> None:
    if path.name == "sigterm-truncated.json":
        salvage_file(path, tmp_path / "first.json")
        path = tmp_path / "first.json"
    data = path.read_bytes()
    dice = random.Random(len(data))
    step = max(len(data) // 60, 1)
    check_cuts(tmp_path, data, range(dice.randrange(step), len(data), step))
    check_cuts(tmp_path, data, range(max(len(data) - 40, 0), len(data)))


WHOLE = ["gold/stub-rich/expected.json", "versions/rich-dce-2.31.json"]


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.contract("R-4.07")
def test_a_real_file_cut_at_every_byte_near_a_border_keeps_every_whole_message(tmp_path: Path, name: str) -> None:
    """Borders: where the messages begin, where each ends, the end of the file. Between them at every eleventh byte."""
    data = (DATA / name).read_bytes()
    borders = [header_end(tmp_path, data), *message_ends(tmp_path, data), len(data)]
    near = {at for border in borders for at in range(max(border - 20, 0), min(border + 20, len(data)))}
    check_cuts(tmp_path, data, sorted(near.union(range(0, len(data), 11))))


@pytest.mark.soak
@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.contract("R-4.07")
def test_a_real_file_cut_at_every_byte_keeps_every_whole_message(tmp_path: Path, name: str) -> None:
    data = (DATA / name).read_bytes()
    check_cuts(tmp_path, data, range(len(data)))


CUTS = {
    "in the header": (b'"iconUrl"', None),
    "right after the array's start": (b'"messages": [', 0),
    "inside the first message": (b'"plain', 0),
    "between messages": (b"\n    },\n", 1),
    "in the middle of a character": (b'"content": "\xc3', 1),
    "inside an escape": (b"\xe2\x80\xa8 \\", 1),
    "inside a surrogate pair": (b"\xaa\x9e \\uD83C\\uDF", 1),
    "behind the last message": (b"\n    }\n", 3),
    "behind the array": (b"\n  ]", 3),
    "in the count": (b'"messageCount": ', 3),
}


@pytest.mark.parametrize("place", CUTS)
@pytest.mark.contract("R-4.07")
def test_the_cuts_that_people_met(tmp_path: Path, place: str) -> None:
    data = dce(export(RICH))
    sign, whole = CUTS[place]
    at = data.rindex(sign) if place.startswith("behind") else data.index(sign)
    partial = tmp_path / "partial.json"
    partial.write_bytes(data[: at + len(sign)])
    if whole is None:
        with pytest.raises(NothingToRecover, match="ends before its first message"):
            find_boundary(partial)
        return
    boundary = find_boundary(partial)
    assert (boundary.message_count, boundary.complete) == (whole, False)
    assert boundary.damage is not None
    assert boundary.damage.damage is Damage.TRUNCATED


@pytest.mark.contract("D-13")
def test_the_real_sigterm_partial_keeps_its_last_message_without_a_comma(tmp_path: Path) -> None:
    partial = DATA / "partials" / "sigterm-truncated.json"
    salvaged = salvage_file(partial, tmp_path / "out")
    assert salvaged.message_count == partial.read_bytes().count(b"\n    }")
    assert load(tmp_path / "out")["messages"][-1]["id"] == salvaged.last_id


@pytest.mark.contract("R-16.05")
def test_a_file_that_looks_complete_is_complete_as_a_file_and_proves_nothing_more(tmp_path: Path) -> None:
    boundary = find_boundary(DATA / "partials" / "sigint-looks-complete.json")
    assert (boundary.complete, boundary.message_count, boundary.lost_bytes) == (True, 2700, 0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_salvaging_a_whole_file_gives_the_same_messages_and_bytes_where_the_layout_is_plain(
    tmp_path: Path, layout: str
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(LAYOUTS[layout](export(RICH)))
    salvage_file(path, tmp_path / "out")
    assert load(tmp_path / "out") == load(path)
    if layout not in {"odd spaces", "one line", "no indentation"}:
        assert (tmp_path / "out").read_bytes() == path.read_bytes()


@pytest.mark.contract("R-4.15")
def test_salvage_in_place_is_atomic_keeps_the_mode_and_is_idempotent(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(dce(export(RICH))[:-60])
    path.chmod(0o640)
    salvage_file(path, path)
    first = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o640
    assert find_boundary(path).complete
    salvage_file(path, path)
    assert path.read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_number_behind_the_messages_that_may_go_on_is_not_kept(tmp_path: Path) -> None:
    data = dce(export(RICH))[:-2] + b',\n  "size": 1234,\n  "open": true\n}'
    path = tmp_path / "a.json"
    for end, kept in ((b'"size": 12', {}), (b'"size": 1234,', {"size": 1234}), (b'"open": tr', {"size": 1234})):
        path.write_bytes(data[: data.index(end) + len(end)])
        salvage_file(path, tmp_path / "out")
        assert load(tmp_path / "out") == export(RICH) | kept


def test_a_wrong_count_is_put_right_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for layout in ("dce", "count first", "sorted keys", "minified"):
        path.write_bytes(LAYOUTS[layout](export(RICH, messageCount=0) | {"messageCount": 12345}))
        boundary = find_boundary(path)
        assert (boundary.complete, boundary.damage, boundary.lost_bytes) == (False, None, 0)
        salvage_file(path, tmp_path / "out")
        assert load(tmp_path / "out") == export(RICH)


@pytest.mark.parametrize("tail", [1, 511, 4096, 300_000])
def test_a_tail_of_nuls_is_cut_off(tmp_path: Path, tail: int) -> None:
    data = dce(export(message(100 + index) for index in range(50)))
    ends = message_ends(tmp_path, data)
    path = tmp_path / "a.json"
    for cut in (len(data) // 2, ends[30], ends[30] + 1, len(data) - 2, len(data)):
        path.write_bytes(data[:cut] + bytes(tail))
        salvaged = salvage_file(path, tmp_path / "out")
        assert salvaged.message_count == bisect_right(ends, cut)
        assert salvaged.boundary.lost_bytes >= tail


def test_what_follows_damage_in_the_middle_is_not_kept_and_counted_as_lost(tmp_path: Path) -> None:
    data = dce(export(message(100 + index) for index in range(50)))
    ends = message_ends(tmp_path, data)
    path = tmp_path / "a.json"
    path.write_bytes(data[: ends[19] + 50] + b"\x00" + data[ends[19] + 51 :])
    boundary = find_boundary(path)
    assert (boundary.message_count, boundary.cut) == (20, ends[19])
    assert boundary.lost_bytes == len(data) - ends[19]
    assert boundary.damage is not None
    assert ends[19] < boundary.damage.offset < ends[20]


@pytest.mark.contract("R-4.15")
def test_a_reversed_export_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(dce(export(message(100 - index) for index in range(50)))[:-100])
    assert find_boundary(path).reversed
    with pytest.raises(ReversedExport):
        salvage_file(path, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 1000, b"[1, 2]", b"not JSON", b'{"a": 1}', b'{"channel": {"id": "5"}, "mess',
     b'{"guild": {}, "messages": [', b'{"channel": {"id": "x"}, "messages": [{"id": "1"}']
)  # fmt: skip
@pytest.mark.contract("R-4.15")
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(NothingToRecover):
        salvage_file(path, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("layout", MESSAGES_FIRST)
def test_with_the_channel_behind_the_messages_a_whole_channel_is_needed(tmp_path: Path, layout: str) -> None:
    data = MESSAGES_FIRST[layout](export(RICH))
    path = tmp_path / "a.json"
    path.write_bytes(data[: message_ends(tmp_path, data)[1] + 5])
    with pytest.raises(NothingToRecover, match="names no channel"):
        find_boundary(path)
    path.write_bytes(data.rstrip(b"}\n "))
    salvage_file(path, tmp_path / "out")
    value = load(tmp_path / "out")
    assert value["channel"]["id"] == CHANNEL_ID
    assert value["messages"] == RICH


@pytest.mark.parametrize("engine", ENGINES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(cut=st.integers(0, 60_000), seed=st.integers(0, 1 << 30))
def test_salvage_of_random_damage_keeps_a_prefix(tmp_path: Path, engine: Any, cut: int, seed: int) -> None:
    messages = [message(100 + index, "x" * (index % 7) * 50) for index in range(60)]
    data = bytearray(dce(export(messages)))
    dice = random.Random(seed)
    at = dice.randrange(600, len(data))
    data[at] ^= 1 << dice.randrange(8)
    path = tmp_path / "a.json"
    path.write_bytes(data[: max(cut, 600)])
    salvage_file(path, tmp_path / "out", engine=engine())
    kept = load(tmp_path / "out")["messages"]
    changed = [index for index, entry in enumerate(kept) if entry != messages[index]]
    assert len(changed) <= 1  # a flipped bit may leave good JSON that says something else: only a hash could tell


@pytest.mark.contract("R-4.17", "D-34", "D-59")
def test_a_salvage_that_dies_leaves_the_old_bytes_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    old = dce(export(RICH))[:-60]
    path.write_bytes(old)
    for calls in range(20):
        try:
            salvage_file(path, path, disk=DyingDisk(calls + 1, but={"sync_folder"}))
        except Dies:
            assert path.read_bytes() == old
            assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]
            continue
        break
    assert find_boundary(path).complete
    assert calls >= 4


@pytest.mark.parametrize("beyond", [0, 1])
def test_of_a_cut_trailer_so_much_is_kept(tmp_path: Path, beyond: int) -> None:
    whole = dce(export(RICH))
    cut = whole.rindex(b"\n  ]")
    begun = b'\n  ],\n  "note": "'
    room = at_most("discord.archive.salvage.repair:_MAX_TRAILER_BYTES") - len(begun) - 2 + beyond
    partial, out = tmp_path / "partial.json", tmp_path / "salvaged.json"
    partial.write_bytes(whole[:cut] + begun + b"x" * room + b'",')
    salvage_file(partial, out)
    value = load(out)
    assert value["messages"] == json.loads(whole)["messages"]
    assert value.get("note") == (None if beyond else "x" * room)
