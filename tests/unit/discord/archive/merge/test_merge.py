"""Merging: the union by id in order, whatever the layouts, orders and block sizes; nothing else changes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dce_play.discord.archive.append.delta import ForeignChannel
from dce_play.discord.archive.merge import feeds
from dce_play.discord.archive.merge.merge import Conflict, MergeOutcome, Prefer, merge
from dce_play.discord.archive.records.write_errors import NotEnoughSpace, WriteFailed
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.errors import UsageError
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import Disk
from tests.support.channel_files import write_large_channel
from tests.support.dying_disk import Dies, DyingDisk
from tests.support.layouts import CHANNEL_ID, LAYOUTS, MESSAGES_FIRST, dce, export, message

DATA = Path(__file__).parents[4] / "data"
ALL_LAYOUTS = LAYOUTS | MESSAGES_FIRST
IDS = st.lists(st.integers(1, 60), max_size=40)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def load(path: Path) -> Any:
    return json.loads(path.read_bytes().decode("utf-8-sig"))


def ids(path: Path) -> list[int]:
    return [int(entry["id"]) for entry in load(path)["messages"]]


def union(files: list[list[dict[str, Any]]], prefer: Prefer) -> list[dict[str, Any]]:
    """Return what a merge of these lists must hold: the simplest program that says so."""
    kept: dict[int, dict[str, Any]] = {}
    for entries in files:
        for entry in entries:
            old = kept.get(int(entry["id"]))
            newer = old is not None and (entry["timestampEdited"] or "") >= (old["timestampEdited"] or "")
            if old is None or (prefer is Prefer.NEWEST and newer and old != entry):
                kept[int(entry["id"])] = entry
    return [kept[identifier] for identifier in sorted(kept)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    files=st.lists(
        st.tuples(IDS, st.sampled_from(["asis", "sorted"]), st.sampled_from(sorted(ALL_LAYOUTS)), st.integers(0, 2)),
        min_size=1,
        max_size=4,
    ),
    prefer=st.sampled_from(Prefer),
    chunk_bytes=st.sampled_from([64, 900, 5000, None]),
)
@pytest.mark.contract("R-3.06", "R-3.08", "D-30", "D-31")
def test_a_merge_is_the_union_by_id(
    tmp_path: Path, files: list[tuple[list[int], str, str, int]], prefer: Prefer, chunk_bytes: int | None
) -> None:
    values = []
    paths = []
    for number, (numbers, order, layout, version) in enumerate(files):
        chosen = sorted(set(numbers)) if order == "sorted" else numbers
        edited = [None, "2026-01-02T00:00:00+00:00", "2026-01-03T00:00:00.25+00:00"][version]
        entries = [message(10**18 + n, f"text {version} 🎩", timestampEdited=edited) for n in chosen]
        values.append(entries)
        paths.append(write(tmp_path / f"{number}.json", ALL_LAYOUTS[layout](export(entries, unknown={"kept": number}))))
    expected = union(values, prefer)
    told: list[Conflict] = []
    outcome = merge(paths, tmp_path / "out", prefer=prefer, chunk_bytes=chunk_bytes, on_conflict=told.append)
    merged = load(tmp_path / "out")
    assert merged["messages"] == expected
    assert outcome.message_count == len(expected)
    assert merged.get("messageCount", len(expected)) == len(expected)
    first = load(paths[0])
    assert {key: merged[key] for key in first if key not in {"messages", "messageCount"}} == {
        key: first[key] for key in first if key not in {"messages", "messageCount"}
    }
    assert list(merged) == list(first)
    assert outcome.duplicates == sum(map(len, values)) - len(expected)
    assert outcome.first_id == (expected[0]["id"] if expected else None)
    assert outcome.last_id == (expected[-1]["id"] if expected else None)
    assert outcome.size_bytes == (tmp_path / "out").stat().st_size
    assert outcome.conflicts >= len(told)
    assert all(json.loads(conflict.dropped) != json.loads(conflict.kept) for conflict in told)


@pytest.mark.parametrize("chunk_bytes", [300, 4096, 1 << 18])
@pytest.mark.parametrize(("firsts", "seconds"), [((0, 50), (50, 90)), ((0, 50), (30, 90)), ((30, 90), (0, 50)),
                                                 ((0, 90), (20, 40)), ((0, 90), (0, 90)),
                                                 ((0, 50), (0, 40))])  # fmt: skip
def test_parts_of_one_export_merge_into_its_very_bytes(
    tmp_path: Path, firsts: tuple[int, int], seconds: tuple[int, int], chunk_bytes: int
) -> None:
    everything = [message(10**17 + index, f"{index} 🎩 é") for index in range(90)]
    one = write(tmp_path / "1", dce(export(everything[slice(*firsts)])))
    two = write(tmp_path / "2", dce(export(everything[slice(*seconds)])))
    outcome = merge([one, two], tmp_path / "out", chunk_bytes=chunk_bytes)
    whole = everything[min(firsts[0], seconds[0]) : max(firsts[1], seconds[1])]
    assert (tmp_path / "out").read_bytes() == dce(export(whole))
    assert (outcome.message_count, outcome.conflicts) == (len(whole), 0)
    assert outcome.duplicates == firsts[1] - firsts[0] + seconds[1] - seconds[0] - len(whole)
    assert (outcome.first_id, outcome.last_id) == (whole[0]["id"], whole[-1]["id"])


@pytest.mark.parametrize("layout", ["count first", "sorted keys", "sorted keys minified"])
def test_a_count_that_stands_first_is_as_long_as_it_comes_to_be(tmp_path: Path, layout: str) -> None:
    everything = [message(10**17 + index) for index in range(120)]
    one = write(tmp_path / "1", LAYOUTS[layout](export(everything[:5])))
    two = write(tmp_path / "2", LAYOUTS[layout](export(everything[3:])))
    merge([one, two], tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == LAYOUTS[layout](export(everything))


@pytest.mark.parametrize("layout", ["crlf", "minified", "tabs"])
def test_the_first_files_line_breaks_part_all_messages(tmp_path: Path, layout: str) -> None:
    everything = [message(10**17 + index) for index in range(9)]
    one = write(tmp_path / "1", dce(export(everything[:3])))
    two = write(tmp_path / "2", LAYOUTS[layout](export(everything[2:])))
    merge([one, two], tmp_path / "out")
    assert load(tmp_path / "out")["messages"] == everything
    parts = (tmp_path / "out").read_bytes().split(b",\n    {")
    assert len(parts) == 9
    assert parts[8].endswith(b'\n  ],\n  "messageCount": 9\n}')


@pytest.mark.contract("R-3.07", "R-16.06")
def test_the_operators_archive_and_its_next_increment_merge(tmp_path: Path) -> None:
    archive = next((DATA / "operators").glob("Lab*.json"))
    increment = DATA / "operators" / "increment-general.json"
    once = merge([archive, increment], tmp_path / "once")
    assert once.message_count == 308
    assert (once.duplicates, once.conflicts) == (0, 0)
    merge([tmp_path / "once", increment], tmp_path / "twice")
    assert (tmp_path / "twice").read_bytes() == (tmp_path / "once").read_bytes()
    # Its first 301 messages are the exporter's own, though jq wrote their emoji raw: the same messages all the same.
    original = DATA / "gold" / "sb-general" / "expected.json"
    again = merge([tmp_path / "once", original], tmp_path / "again", prefer=Prefer.NEWEST)
    assert (again.message_count, again.duplicates, again.conflicts) == (308, 301, 0)
    assert load(tmp_path / "again")["messages"] == load(tmp_path / "once")["messages"]


@pytest.mark.contract("D-10", "R-3.08")
def test_the_date_range_is_never_narrowed(tmp_path: Path) -> None:
    def part(name: str, after: str | None, before: str | None) -> Path:
        dates = {"after": after, "before": before}
        return write(tmp_path / name, dce(export([message(5)], dateRange=dates)))

    early, late = "2026-01-01T00:00:00.1234567+00:00", "2026-01-01T01:30:00+02:00"  # late is the earlier moment
    cases = [((None, None), (early, None), (None, None)), ((early, None), (None, late), (None, None)),
             ((early, early), (late, late), (late, early)), ((late, None), (early, None), (late, None))]  # fmt: skip
    for first, second, expected in cases:
        merge([part("1", *first), part("2", *second)], tmp_path / "out")
        assert tuple(load(tmp_path / "out")["dateRange"].values()) == expected


def test_count_and_dates_are_both_put_right_in_one_header(tmp_path: Path) -> None:
    narrow = export([message(5)], dateRange={"after": "2026-01-01T00:00:00+00:00", "before": "x" * 30})
    for layout in ("count first", "sorted keys", "messages first"):
        first = write(tmp_path / "1", ALL_LAYOUTS[layout](narrow))
        second = write(tmp_path / "2", dce(export(message(n) for n in range(10, 200))))
        merge([first, second], tmp_path / "out")
        merged = load(tmp_path / "out")
        assert merged["messageCount"] == len(merged["messages"]) == 191
        assert merged["dateRange"] == {"after": None, "before": None}
        assert merged["channel"] == narrow["channel"]


def test_of_equal_copies_the_first_files_bytes_stay(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", LAYOUTS["jq"](export([message(1, "🎩")])))
    escaped = write(tmp_path / "escaped", dce(export([message(1, "🎩")])))
    for prefer in Prefer:
        assert merge([escaped, raw], tmp_path / "out", prefer=prefer).conflicts == 0
        assert (tmp_path / "out").read_bytes() == escaped.read_bytes()


@pytest.mark.contract("R-3.06")
@pytest.mark.parametrize(
    ("edited", "kept_first", "newest"),
    [
        ([None, None, None], 0, 2),
        (["2026-01-02T00:00:00+00:00", "2026-01-02T01:00:00+01:00", None], 0, 1),
        (["2026-01-03T00:00:00+00:00", "2026-01-02T23:00:00+00:00", None], 0, 0),
        (["2026-01-02T00:00:00+00:00", None, "2026-01-01T23:30:00-02:00"], 0, 2),
    ],
)
def test_of_other_contents_the_first_file_or_the_newest_edit_is_kept(
    tmp_path: Path, edited: list[str | None], kept_first: int, newest: int
) -> None:
    files = [
        write(tmp_path / str(number), dce(export([message(5, f"text {number}", timestampEdited=moment)])))
        for number, moment in enumerate(edited)
    ]
    for prefer, kept in ((Prefer.KEEP_FIRST, kept_first), (Prefer.NEWEST, newest)):
        told: list[Conflict] = []
        outcome = merge(files, tmp_path / "out", prefer=prefer, on_conflict=told.append)
        assert load(tmp_path / "out")["messages"] == load(files[kept])["messages"]
        assert (outcome.message_count, outcome.duplicates, outcome.conflicts) == (1, 2, 2)
        assert {(each.message_id, each.dropped_from) for each in told} == {
            ("5", path) for path in files if path != files[kept]
        }
        for each in told:
            assert json.loads(each.dropped) == load(each.dropped_from)["messages"][0]
        assert json.loads(told[-1].kept) == load(files[kept])["messages"][0]


def test_a_merge_keeps_the_first_copy_unless_told(tmp_path: Path) -> None:
    files = [write(tmp_path / text, dce(export([message(5, text)]))) for text in ("one", "two")]
    merge(files, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == files[0].read_bytes()


def test_a_conflict_is_told_once_where_the_messages_are_counted_first(tmp_path: Path) -> None:
    files = [write(tmp_path / text, LAYOUTS["count first"](export([message(5, text)]))) for text in ("one", "two")]
    told: list[Conflict] = []
    assert merge(files, tmp_path / "out", on_conflict=told.append).conflicts == 1
    assert [(each.message_id, each.dropped_from) for each in told] == [("5", files[1])]


def test_each_other_copy_of_a_message_is_told(tmp_path: Path) -> None:
    one = write(tmp_path / "1", dce(export([message(5, "one")])))
    two = write(tmp_path / "2", dce(export([message(5, "two"), message(5, "three"), message(5, "two")])))
    told: list[Conflict] = []
    outcome = merge([one, two], tmp_path / "out", on_conflict=told.append)
    assert [json.loads(each.dropped)["content"] for each in told] == ["two", "three"]
    assert (outcome.duplicates, outcome.conflicts) == (3, 3)
    assert load(tmp_path / "out")["messages"] == load(one)["messages"]


def test_an_outcome_names_the_file_the_channel_and_all_files_that_are_out_of_order(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "1", dce(export([message(9), message(4)]))),
        write(tmp_path / "2", dce(export([message(3), message(6)]))),
        write(tmp_path / "3", dce(export([message(2), message(2)]))),
    ]
    assert merge(files, tmp_path / "out") == MergeOutcome(
        path=tmp_path / "out",
        channel_id=ChannelId(CHANNEL_ID),
        message_count=5,
        duplicates=1,
        conflicts=0,
        first_id=MessageId("2"),
        last_id=MessageId("9"),
        size_bytes=(tmp_path / "out").stat().st_size,
        unordered=(files[0], files[2]),
    )


def test_what_was_written_before_a_file_turned_out_unordered_is_written_anew(tmp_path: Path) -> None:
    one = write_large_channel(tmp_path / "1", 1000, 700, channel_id=CHANNEL_ID, guild_id="1")
    two = write(tmp_path / "2", write_large_channel(tmp_path / "3", 2000, 700, channel_id=CHANNEL_ID).read_bytes())
    data = two.read_bytes()
    last = data.rindex(b'"id": "2699"')
    two.write_bytes(data[:last] + b'"id": "0007"' + data[last + 12 :])
    with pytest.raises(ForeignChannel):
        merge([one, two], tmp_path / "out")
    one = write_large_channel(tmp_path / "1", 1000, 700, channel_id=CHANNEL_ID)
    outcome = merge([one, two], tmp_path / "out")
    assert outcome.unordered == (two,)
    assert ids(tmp_path / "out") == [7, *range(1000, 1700), *range(2000, 2699)]
    assert outcome.size_bytes == (tmp_path / "out").stat().st_size
    whole = one.read_bytes()
    assert whole[whole.index(b'    {\n      "id"') : whole.rindex(b"\n  ]")] in (tmp_path / "out").read_bytes()


@pytest.mark.contract("D-30", "D-31")
@pytest.mark.parametrize("order", [[1, 3, 2, 4], [5, 5, 6], [1, 2, 2], [2, 1], [1, 2, 3, 0]])
@pytest.mark.parametrize("chunk_bytes", [64, None])
def test_one_id_out_of_its_place_is_noticed(tmp_path: Path, order: list[int], chunk_bytes: int | None) -> None:
    one = write(tmp_path / "1", dce(export(message(n) for n in order)))
    outcome = merge([one], tmp_path / "out", chunk_bytes=chunk_bytes)
    assert ids(tmp_path / "out") == sorted(set(order))
    assert outcome.unordered == (one,)


def test_messages_of_files_that_interlock_are_written_together_and_never_all_at_once(tmp_path: Path) -> None:
    class Watched(Disk):
        def __init__(self) -> None:
            self.sizes: list[int] = []

        def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
            self.sizes.append(len(data))
            super().write_at(descriptor, data, offset)

    disk = Watched()
    files = [write(tmp_path / str(at), dce(export(message(n, "x" * 2000) for n in range(at, 600, 2)))) for at in (0, 1)]
    merge(files, tmp_path / "out", disk=disk)
    assert ids(tmp_path / "out") == list(range(600))
    assert max(disk.sizes) < 300 << 10
    assert 5 <= len(disk.sizes) < 20


@pytest.mark.contract("R-16.07")
def test_the_greatest_ids_there_can_be_are_merged_too(tmp_path: Path) -> None:
    greatest = [2**64 - 1, 2**63, 2**63 - 1]
    one = write(tmp_path / "1", dce(export(message(n) for n in greatest)))
    two = write(tmp_path / "2", dce(export(message(n) for n in [5, 2**63, 2**64 - 2])))
    assert merge([one, two], tmp_path / "out").duplicates == 1
    assert ids(tmp_path / "out") == [5, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1]


def test_a_file_out_of_order_is_sorted_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "_SORTED_AT_ONCE", 7)
    order = [5, 1, 40, 3, 2, 39, 38, 4, 6, 37, 7, 36, 8, 35, 9, 5, 40, 1, 30, 21, 22]
    one = write(tmp_path / "1", dce(export(message(n, f"{at}") for at, n in enumerate(order))))
    outcome = merge([one], tmp_path / "out")
    expected = {n: at for at, n in reversed(list(enumerate(order)))}
    assert {int(each["id"]): int(each["content"]) for each in load(tmp_path / "out")["messages"]} == expected
    assert ids(tmp_path / "out") == sorted(set(order))
    assert outcome.duplicates == 3


def test_each_conflict_is_told_once_even_when_the_merge_begins_again(tmp_path: Path) -> None:
    one = write(tmp_path / "1", dce(export(message(n, "one") for n in range(1, 40))))
    two = write(tmp_path / "2", dce(export(message(n, "two") for n in [*range(1, 30), 40, 35])))
    told: list[Conflict] = []
    outcome = merge([one, two], tmp_path / "out", chunk_bytes=2000, on_conflict=told.append)
    assert [int(conflict.message_id) for conflict in told] == [*range(1, 30), 35]
    assert outcome.conflicts == 30
    assert outcome.unordered == (two,)
    assert {conflict.dropped_from for conflict in told} == {two}
    assert ids(tmp_path / "out") == list(range(1, 41))


@pytest.mark.contract("D-02")
def test_a_merge_into_one_of_its_files_keeps_that_files_mode(tmp_path: Path) -> None:
    archive = write(tmp_path / "archive.json", dce(export([message(1), message(3)])))
    archive.chmod(0o640)
    merge([archive, write(tmp_path / "2", dce(export([message(2)])))], archive)
    assert ids(archive) == [1, 2, 3]
    assert archive.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "archive.json"]


@pytest.mark.contract("D-02")
def test_a_new_file_has_the_first_ones_mode_and_a_link_stays_a_link(tmp_path: Path) -> None:
    one = write(tmp_path / "1", dce(export([message(1)])))
    two = write(tmp_path / "2", dce(export([message(2)])))
    one.chmod(0o640)
    merge([one, two], tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640
    (tmp_path / "link").symlink_to("out")
    assert merge([two], tmp_path / "link").path == tmp_path / "out"
    assert (tmp_path / "link").is_symlink()
    assert ids(tmp_path / "out") == [2]


def test_a_refusal_names_the_file_and_what_it_is_of(tmp_path: Path) -> None:
    one = write(tmp_path / "1", dce(export([message(1)])))
    two = write(tmp_path / "2", dce(export([message(2)])))
    channel = write(tmp_path / "3", dce(export([message(2)], channel={"id": "6"})))
    guild = write(tmp_path / "4", dce(export([message(2)], guild={"id": "6"})))
    none = write(tmp_path / "5", LAYOUTS["bare"](export([message(3)])))
    with pytest.raises(ForeignChannel, match=f"^{re.escape(str(channel))} is of channel 6, not of {CHANNEL_ID}$"):
        merge([one, two, channel], tmp_path / "out")
    with pytest.raises(ForeignChannel, match=f"^{re.escape(str(guild))} is of guild 6, not of 754679440998400000$"):
        merge([one, two, guild], tmp_path / "out")
    with pytest.raises(UsageError, match=r"^nothing to merge: no file is named$"):
        merge([], tmp_path / "out")
    for files in ([one, none], [none, one]):  # a file that tells no guild may be of any
        merge(files, tmp_path / "out")
        assert ids(tmp_path / "out") == [1, 3]


def test_files_of_other_channels_guilds_or_damaged_ones_leave_nothing(tmp_path: Path) -> None:
    one = write(tmp_path / "1", dce(export([message(1)])))
    channel = write(tmp_path / "2", dce(export([message(2)], channel={"id": "6"})))
    guild = write(tmp_path / "3", dce(export([message(2)], guild={"id": "6"})))
    broken = write(tmp_path / "4", dce(export([message(2)]))[:-3])
    for other in (channel, guild):
        with pytest.raises(ForeignChannel):
            merge([one, other], tmp_path / "out")
    with pytest.raises(DamagedFile):
        merge([one, broken], tmp_path / "out")
    with pytest.raises(UsageError):
        merge([], tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "3", "4"]


@pytest.mark.contract("D-63", "R-19.05")
def test_a_merge_that_dies_leaves_the_old_bytes_or_the_new(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.json", dce(export([message(1)])))
    other = write(tmp_path / "b.json", dce(export([message(2)])))
    old = archive.read_bytes()
    for calls in range(20):
        try:
            merge([archive, other], archive, disk=DyingDisk(calls + 1, but={"sync_folder"}))
        except Dies:
            assert archive.read_bytes() == old
            assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]
            continue
        break
    assert ids(archive) == [1, 2]
    assert calls >= 4


class FullDisk(Disk):
    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write_at(descriptor, data[:1], offset)
        raise OSError(28, "No space left on device")


class SmallDisk(Disk):
    def __init__(self, free: int) -> None:
        self._free = free

    def free_bytes(self, _folder: Path) -> int:
        return self._free


def test_a_merge_needs_as_much_as_the_largest_of_its_files_and_a_mebibyte(tmp_path: Path) -> None:
    files = [write(tmp_path / str(n), dce(export(message(n + 100 * m) for m in range(n)))) for n in (1, 9, 3)]
    needed = files[1].stat().st_size + (1 << 20)
    with pytest.raises(NotEnoughSpace, match=f"no space left in {re.escape(str(tmp_path))}: {needed} bytes needed"):
        merge(files, tmp_path / "out", disk=SmallDisk(needed - 1))
    assert not (tmp_path / "out").exists()
    assert merge(files, tmp_path / "out", disk=SmallDisk(needed)).message_count == 13


class BadDisk(Disk):
    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        raise OSError(5, "Input/output error")


def test_a_disk_that_fails_is_said_to_fail(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.json", dce(export([message(1)])))
    with pytest.raises(NotEnoughSpace, match=f"no space left in {re.escape(str(tmp_path))}: "):
        merge([archive], tmp_path / "out", disk=FullDisk())
    with pytest.raises(WriteFailed, match=f"writing to {re.escape(str(tmp_path / 'out'))} failed: "):
        merge([archive], tmp_path / "out", disk=BadDisk())
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.contract("R-19.05", "D-01")
def test_twins_that_overlap_become_one_without_loss(tmp_path: Path) -> None:
    one = write(tmp_path / "1", dce(export(message(n) for n in [1, 2, 3, 7, 8, 9])))
    two = write(tmp_path / "2", dce(export(message(n) for n in [2, 3, 4, 5, 9, 10])))
    outcome = merge([one, two], tmp_path / "out")
    assert ids(tmp_path / "out") == [1, 2, 3, 4, 5, 7, 8, 9, 10]
    assert outcome.duplicates == 3


def test_many_partitions_merge(tmp_path: Path) -> None:
    parts = [write(tmp_path / str(n), dce(export([message(n), message(n + 100)]))) for n in range(1, 41)]
    assert merge(parts, tmp_path / "out").message_count == 80
    assert ids(tmp_path / "out") == [*range(1, 41), *range(101, 141)]
