"""How archives grew, and what is due, from records alone."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dce_play.history.growth import read_growth
from dce_play.history.scheduled import Schedule, read_schedule
from dce_play.history.sparkline import sparkline
from dce_play.history.standing import limits_for
from dce_play.layout import TargetLayout
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker
from tests.support.channel_files import write_channel

NOW = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
STANDIN = Path(__file__).parents[2] / "standins" / "crontab.py"
ROOM = "111111111111111111"


def append(day: int, count: int, **facts: object) -> str:
    line = {"append_id": f"{day}-{count}", "time": f"2026-11-{day:02}T03:15:00Z", "channel_id": ROOM, "count": count}
    return json.dumps({**line, "message_count": 100 + count, **facts}) + "\n"


def records(folder: Path, *lines: str) -> None:
    path = TargetLayout(folder).appends
    path.parent.mkdir(parents=True)
    path.write_text("".join(lines))


def test_growth_is_told_by_day_and_each_append_once(tmp_path: Path) -> None:
    records(
        tmp_path,
        append(20, 5),
        append(27, 900, kind="created"),
        append(27, 2),
        append(27, 2),
        "garbage\n",
        append(28, 1),
        '{"torn',
    )
    growth = read_growth(tmp_path, now=NOW, days=3)
    assert [count for _, count in growth.by_day] == [0, 2, 1]
    assert (growth.recent, growth.last_append) == (3, "2026-11-28T03:15:00Z")


def test_a_file_that_nobody_counted_since_counts_as_it_was_last_noted(tmp_path: Path) -> None:
    write_channel(tmp_path / f"Guild - room [{ROOM}].json", [1, 2], channel_id=ROOM)
    records(tmp_path, append(27, 2))
    growth = read_growth(tmp_path, now=NOW, days=3)
    assert (growth.channels, growth.messages, growth.uncounted) == (1, 102, 1)


@pytest.mark.parametrize("lines", ["[1]\n", '{"time": 5, "count": "x"}\n', "\x00\n", '{"time": "2026-13-01"}\n'])
def test_records_of_another_kind_are_passed_over(tmp_path: Path, lines: str) -> None:
    records(tmp_path, lines, append(28, 1))
    assert read_growth(tmp_path, now=NOW, days=1).recent == 1


def test_a_folder_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    growth = read_growth(tmp_path / "none", now=NOW, days=2)
    assert (growth.channels, growth.messages, growth.recent, growth.last_append) == (0, 0, 0, "")


@pytest.mark.parametrize(
    ("numbers", "line"),
    [([], ""), ([0, 0], "▁▁"), ([0, 1, 1000], "▁▂█"), ([4, 4], "██"), ([-3, 7], "▁█")],
)
def test_numbers_as_blocks(numbers: list[int], line: str) -> None:
    assert sparkline(numbers) == line


def test_numbers_as_plain_signs() -> None:
    assert sparkline([0, 1, 1000], ascii_only=True) == "_.#"


def crontab(folder: Path, schedule: str = "15 3 * * *", command: str = "python3 -m dce_play run scrape") -> str:
    return f"MAILTO=me\n# BEGIN night\n{schedule} cd '{folder}' && A=1 {command} -e x=100\\%\n# END night\n"


def scheduled(text: str, folder: Path) -> Schedule:
    table = folder / "crontab"
    table.write_text(text)
    environment = {**os.environ, "DCE_CRONTAB_BIN": str(STANDIN), "STANDIN_CRONTAB": str(table)}
    executor = LocalExecutor(environment, Masker())
    return read_schedule(environment, executor, folder=folder, config=folder / "scrape-targets.yml", now=NOW)


def test_the_next_run_is_that_of_the_crontab(tmp_path: Path) -> None:
    job = scheduled(crontab(tmp_path), tmp_path).jobs[0]
    assert (job.name, job.next_at) == ("night", datetime(2026, 11, 29, 3, 15, tzinfo=UTC))
    assert job.every == timedelta(days=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "15 3 * * * cd /elsewhere && python3 -m dce_play run scrape\n",
        "15 3 * * * cd @ && backup-everything\n",
        "#15 3 * * * cd @ && python3 -m dce_play run scrape\n",
        "15 3 31 2 * cd @ && python3 -m dce_play run scrape\n",
        "99 3 * * * cd @ && python3 -m dce_play run scrape\n",
        "15 3 * * * cd @ && 'python3 -m dce_play run scrape\n",
    ],
)
def test_what_is_not_ours_or_never_comes_is_not_scheduled(tmp_path: Path, text: str) -> None:
    assert scheduled(text.replace("@", str(tmp_path)), tmp_path).jobs == ()


def test_limits_follow_from_the_schedule_unless_they_are_given(tmp_path: Path) -> None:
    daily = scheduled(crontab(tmp_path), tmp_path)
    limits = limits_for(daily, warn_after=None, fail_after=None)
    assert (limits.warn_after, limits.fail_after) == (timedelta(hours=25), timedelta(hours=49))
    limits = limits_for(Schedule(), warn_after=None, fail_after=None)
    assert (limits.warn_after, limits.fail_after) == (timedelta(days=2), timedelta(days=7))
    limits = limits_for(daily, warn_after=timedelta(days=9), fail_after=None)
    assert (limits.warn_after, limits.fail_after) == (timedelta(days=9), timedelta(days=9))
