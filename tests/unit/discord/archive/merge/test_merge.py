"""Merging: the union by id in order, whatever the layouts, orders and block sizes; nothing else changes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dce_play.discord.archive.append.delta import ForeignChannel
from dce_play.discord.archive.merge.merge import Conflict, Prefer, merge
from dce_play.discord.archive.records.write_errors import NotEnoughSpace, WriteFailed
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.errors import UsageError
from dce_play.system.durable.disk import Disk
from tests.support.dying_disk import Dies, DyingDisk
from tests.support.layouts import LAYOUTS, MESSAGES_FIRST, dce, export, message

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
                                                 ((0, 90), (20, 40)), ((0, 90), (0, 90))])  # fmt: skip
def test_parts_of_one_export_merge_into_its_very_bytes(
    tmp_path: Path, firsts: tuple[int, int], seconds: tuple[int, int], chunk_bytes: int
) -> None:
    everything = [message(10**17 + index, f"{index} 🎩 é") for index in range(90)]
    one = write(tmp_path / "1", dce(export(everything[slice(*firsts)])))
    two = write(tmp_path / "2", dce(export(everything[slice(*seconds)])))
    outcome = merge([one, two], tmp_path / "out", chunk_bytes=chunk_bytes)
    assert (tmp_path / "out").read_bytes() == dce(export(everything))
    assert outcome.conflicts == 0


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


class BadDisk(Disk):
    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        raise OSError(5, "Input/output error")


def test_a_disk_that_fails_is_said_to_fail(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.json", dce(export([message(1)])))
    with pytest.raises(NotEnoughSpace):
        merge([archive], tmp_path / "out", disk=FullDisk())
    with pytest.raises(WriteFailed):
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
