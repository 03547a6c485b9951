"""What cron runs for a project by itself, and when next: our blocks of the user's crontab."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from dce_play.errors import DcePlayError
from dce_play.host.cron_table import crontab_program, read_crontab
from dce_play.system.process.executor import Executor

_BEGIN = re.compile(r"# BEGIN ([A-Za-z0-9._-]+)")
_JOB = re.compile(r"((?:\S+\s+){4}\S+)\s+cd\s+(.+)")
_NEXT_TO_TRY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """One scheduled command of a project."""

    name: str
    next_at: datetime
    every: timedelta
    """From the next run to the one after it."""
    by: str = "cron"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What runs by itself."""

    jobs: tuple[Scheduled, ...] = ()
    """The soonest first."""
    unknown: str = ""
    """Why the crontab could not be read; empty when it was."""

    def and_these(self, jobs: Iterable[Scheduled], /) -> "Schedule":
        """Return the schedule with more jobs."""
        return replace(self, jobs=tuple(sorted((*self.jobs, *jobs), key=lambda job: job.next_at)))

    @property
    def every(self) -> timedelta | None:
        """The longest time between two runs of the job that runs most often."""
        return min((job.every for job in self.jobs), default=None)


def read_schedule(
    environment: Mapping[str, str], executor: Executor, /, *, folder: Path, config: Path, now: datetime
) -> Schedule:
    """Return what the user's crontab runs in a folder, or with a targets file."""
    try:
        text = read_crontab(crontab_program(environment), executor)
    except DcePlayError as error:
        return Schedule(unknown=str(error))
    jobs = sorted(_jobs(text, folder=folder, config=config, now=now), key=lambda job: job.next_at)
    return Schedule(jobs=tuple(jobs))


def _jobs(crontab: str, *, folder: Path, config: Path, now: datetime) -> Iterator[Scheduled]:
    name = ""
    for line in crontab.splitlines():
        begins = _BEGIN.fullmatch(line.strip())
        if begins is not None:
            name = begins[1]
            continue
        if line.startswith("# END "):
            name = ""
        job = _JOB.fullmatch(line.strip())
        if job is None or line.lstrip().startswith("#"):
            continue
        words = _words(job[2].replace("\\%", "%"))
        if not _is_ours(words) or not (words[0] == str(folder) or str(config) in words):
            continue
        times = _next_times(job[1], now)
        if times is not None:
            yield Scheduled(name=name or "cron", next_at=times[0], every=times[1])


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _is_ours(words: list[str]) -> bool:
    pairs = pairwise(words)
    return any(Path(word).name == "dce-play" for word in words) or ("-m", "dce_play") in pairs


def _next_times(schedule: str, now: datetime) -> tuple[datetime, timedelta] | None:
    """Return the next time, and the longest gap among the next few; ``None`` for a schedule that cron cannot keep."""
    from cronsim import CronSim, CronSimError  # only where something is scheduled

    try:
        times = CronSim(schedule, now)
        found = [next(times) for _ in range(_NEXT_TO_TRY)]
    except (CronSimError, StopIteration):
        return None
    return found[0], max(after - before for before, after in pairwise(found))
