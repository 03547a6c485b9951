"""What systemd runs for a project by itself: our timers that are enabled, and when they elapse next."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from dce_play.errors import DcePlayError
from dce_play.history.scheduled import Scheduled
from dce_play.system.process.executor import Command, Executor

_TIMEOUT_S = 10.0
_ELAPSES = re.compile(r"(?:Next elapse|Iter\. #\d+|\(in UTC\)): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC$")
_NEXT_TO_TRY = 3


def read_timers(units: Path, executor: Executor, /, *, folder: Path, now: datetime) -> list[Scheduled]:
    """Return the enabled timers in a folder of units whose services run ours in a project's folder.

    Only files are read, and ``systemd-analyze`` is asked about times: no systemd need run.
    """
    return list(_timers(units, executor, folder=folder, now=now))


def _timers(units: Path, executor: Executor, *, folder: Path, now: datetime) -> Iterator[Scheduled]:
    for timer in sorted(units.glob("*.timer")):
        if not (units / "timers.target.wants" / timer.name).is_symlink():
            continue  # written, and not enabled
        service = _settings(timer.with_suffix(".service"))
        if not _is_ours(service) or str(folder) not in service.get("WorkingDirectory", []):
            continue
        times = [time for when in _settings(timer).get("OnCalendar", []) for time in _elapses(when, executor)]
        if len(times) > 1:
            times.sort()
            every = max(after - before for before, after in pairwise(times[:_NEXT_TO_TRY]))
            yield Scheduled(name=timer.stem, next_at=times[0].astimezone(now.tzinfo), every=every, by="systemd")


def _settings(unit: Path) -> dict[str, list[str]]:
    """Return the values of a unit's settings, as they stand, without their doubled percent signs."""
    found: dict[str, list[str]] = {}
    try:
        lines = unit.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return found
    for line in lines:
        name, equals, value = line.partition("=")
        if equals:
            found.setdefault(name.strip(), []).append(value.strip().replace("%%", "%"))
    return found


def _is_ours(service: dict[str, list[str]]) -> bool:
    return any("dce_play" in line or "dce-play" in line for line in service.get("ExecStart", []))


def _elapses(when: str, executor: Executor) -> Iterator[datetime]:
    """Yield the next few times; none where there is no ``systemd-analyze``, or it does not take the time."""
    argv = ("systemd-analyze", "calendar", f"--iterations={_NEXT_TO_TRY}", "--", when)
    try:
        said = executor.run(Command(argv=argv, timeout_s=_TIMEOUT_S, is_question=True))
    except DcePlayError:
        return
    if said.exit_code != 0:
        return
    for line in said.stdout.splitlines():
        found = _ELAPSES.search(line.strip())
        if found is not None:
            yield datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
