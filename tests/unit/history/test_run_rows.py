"""Runs as lines of a list."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dce_play.history.columns import cut, table
from dce_play.history.gains import ChannelGain, RunGains, TargetGain
from dce_play.history.run_rows import RunRow, came_of_it, row_lines
from dce_play.history.under_way import Place
from dce_play.history.when import age, day_and_time
from dce_play.runner.record.folders import RunInfo, State
from dce_play.system.cells import width

NOW = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)


def info(state: State, **facts: object) -> RunInfo:
    known: dict[str, object] = {
        "run_id": "20261128T031500Z-24ad04",
        "folder": Path("/runs/20261128T031500Z-24ad04"),
        "name": "scrape",
        "started": "2026-11-28T03:15:00.000000Z",
        "targets": ("a", "b"),
        "duration_s": 1.4,
        "options": {},
        **facts,
    }
    return RunInfo(state=state, **known)  # type: ignore[arg-type]  # spelt by the tests below


def gain(target: str, *added: int) -> TargetGain:
    channels = (ChannelGain(channel_id=str(number), added=count) for number, count in enumerate(added))
    return TargetGain(target=target, channels=tuple(channels))


def shown(row: RunRow, cells: int = 120) -> str:
    return "  ".join(row_lines([row], now=NOW, cells=cells)[0]).rstrip()


def test_a_night_is_one_line() -> None:
    gains = RunGains(targets=(gain("a", 2, 1, 1, 0), gain("b", 2)))
    line = shown(RunRow(info=info(State.OK), gains=gains))
    assert line == "today 03:15  ok  1.4 s  scrape  2 targets  +6 in 4 channels  24ad04"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (RunRow(info=info(State.OK)), ""),
        (RunRow(info=info(State.OK), gains=RunGains(targets=(TargetGain(target="a"),))), "nothing new"),
        (RunRow(info=info(State.FAILED, error="no\nroom")), "no room"),
        (
            RunRow(info=info(State.FAILED, error="x"), gains=RunGains(targets=(TargetGain(target="a", appended=1),))),
            "x (+1)",
        ),
        (
            RunRow(info=info(State.RUNNING, step_count=19), place=Place(step="Scrape", index=6, progress="9 messages")),
            "step 6 of 19: Scrape, 9 messages",
        ),
        (RunRow(info=info(State.LOST), place=Place(step="Scrape")), "killed in Scrape"),
        (RunRow(info=info(State.LOST)), "killed before its first step"),
        (RunRow(info=info(State.DAMAGED, error="line 1 is no event")), "line 1 is no event"),
    ],
)
def test_what_came_of_a_run(row: RunRow, words: str) -> None:
    assert came_of_it(row) == words


def test_a_run_that_something_stood_in_the_way_of_is_refused() -> None:
    locked = RunRow(info=info(State.FAILED, exit_code=75, error="Another scrape is already running"))
    assert locked.word == "refused"
    assert not locked.info.resumable
    assert RunRow(info=info(State.FAILED, exit_code=75, counts={"changed": 1})).word == "failed"


def test_the_reason_is_cut_so_that_a_line_fits() -> None:
    row = RunRow(info=info(State.FAILED, error="one " * 100))
    assert len(shown(row, 80)) == 80
    assert shown(row, 80).endswith("one…   24ad04")


@pytest.mark.parametrize("cells", [20, 40, 60, 80])
def test_a_narrow_terminal_gets_the_columns_that_tell_most(cells: int) -> None:
    line = shown(RunRow(info=info(State.FAILED, name="n" * 30, error="one " * 100)), cells)
    assert width(line) <= cells
    assert "failed  " in line
    assert line.endswith("24ad04")

    assert (width("abc"), width("日本"), width("e\u0301"), width("👩‍👩‍👧")) == (3, 4, 1, 2)
    assert (width("abc"), width("日本"), width("e\u0301")) == (3, 4, 1)
    assert cut("日本語", 4) == "日…"
    assert table([["日", "", "x"], ["ab", "", "yy"]], stretch=2, cells=80) == [["日", "x "], ["ab", "yy"]]


@pytest.mark.parametrize(
    ("stamp", "words"),
    [
        ("2026-11-28T03:15:00.000000Z", "today 03:15"),
        ("2026-11-27T23:59:59.999999Z", "yesterday 23:59"),
        ("2026-11-21T03:15:00.000000Z", "2026-11-21 03:15"),
        ("", ""),
    ],
)
def test_times_are_said_as_people_do(stamp: str, words: str) -> None:
    assert day_and_time(stamp, NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(4, "4 s"), (61, "1 min"), (7_300, "2 h"), (86_400, "1 day"), (200_000, "2 days")]
)
def test_ages_are_said_as_people_do(seconds: float, words: str) -> None:
    assert age(seconds) == words
