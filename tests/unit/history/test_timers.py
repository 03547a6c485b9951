"""What systemd runs for a project, by the units that our own step writes."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dce_play.history.scheduled import Scheduled
from dce_play.history.timers import read_timers
from dce_play.host import systemd_schedule
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker

NOW = datetime.now(UTC)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a folder with an enabled timer for a project whose folder has an odd name."""
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no systemd-analyze here: apt-get install systemd")
        pytest.skip("no systemd-analyze here: apt-get install systemd")
    folder = tmp_path / "units"
    (folder / "timers.target.wants").mkdir(parents=True)
    files = systemd_schedule.unit_files(
        systemd_schedule.Scheduled(
            name="night",
            on_calendar="*-*-* 03:15:00",
            randomized_delay_s=300.0,
            folder=tmp_path / "a project of 100 %",
            argv=("/usr/bin/python3", "-m", "dce_play", "run", "scrape"),
            on_failure_argv=("/usr/bin/python3", "-m", "dce_play", "monitoring", "test"),
            environment=(),
            description="The night's scrape",
        )
    )
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "timers.target.wants" / "night.timer").symlink_to(folder / "night.timer")
    return folder


def timers(units: Path, folder: Path, zone: str = "UTC") -> list[Scheduled]:
    executor = LocalExecutor({**os.environ, "TZ": zone}, Masker())
    return read_timers(units, executor, folder=folder, now=NOW)


@pytest.mark.parametrize(("zone", "hour"), [("UTC", 3), ("Asia/Tokyo", 18)])
def test_the_next_run_is_that_of_the_timer(units: Path, zone: str, hour: int) -> None:
    (found,) = timers(units, units.parent / "a project of 100 %", zone)
    assert (found.name, found.by, found.every) == ("night", "systemd", timedelta(days=1))
    assert (found.next_at.hour, found.next_at.minute) == (hour, 15)
    assert NOW < found.next_at <= NOW + timedelta(days=1)


def test_timers_of_others_and_those_that_are_not_enabled_are_not_told(units: Path) -> None:
    project = units.parent / "a project of 100 %"
    assert timers(units, units.parent) == []
    (units / "timers.target.wants" / "night.timer").unlink()
    assert timers(units, project) == []


@pytest.mark.parametrize("text", ["", "OnCalendar=never\n", "\x00\n", "[Timer]\nOnCalendar=2001-01-01\n"])
def test_a_timer_that_never_comes_is_not_told(units: Path, text: str) -> None:
    (units / "night.timer").write_text(text)
    assert timers(units, units.parent / "a project of 100 %") == []
