"""How a project stands now: last successes, growth, the lock, what runs, what is due, and what is wrong with it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path

from dce_play.discord.lock.places import archive_lock_status
from dce_play.discord.scrape.guild_changes import read_guild
from dce_play.discord.targets.model import Target, TargetsFile
from dce_play.errors import DcePlayError
from dce_play.history.growth import Growth, read_growth
from dce_play.history.nights import Attempt, Nights, read_nights, runs_of
from dce_play.history.run_rows import RunRow
from dce_play.history.scheduled import Schedule
from dce_play.history.when import age, age_s, day_and_time
from dce_play.layout import TargetLayout
from dce_play.runner.record.folders import RunInfo
from dce_play.system.counted import counted
from dce_play.system.lock.status import LockStatus, Verdict

WARN_AFTER, FAIL_AFTER = timedelta(days=2), timedelta(days=7)
"""How old a last success may be where nothing is scheduled."""
_GRACE = timedelta(hours=1)


class Level(IntEnum):
    """How bad it is. The numbers are the exit codes of monitoring plug-ins."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing that is not as it should be."""

    level: Level
    text: str
    target: str = ""
    """The targets that it is about, with commas between."""
    fix: str = ""
    """The command that mends it or tells more; empty where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How old a last success may be."""

    warn_after: timedelta
    fail_after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStanding:
    """How one target stands."""

    name: str
    folder: Path | None
    """``None`` for a target that is not in the targets file any more."""
    enabled: bool = True
    media: bool = False
    """Whether any media are kept."""
    growth: Growth = field(default_factory=Growth)
    missing: str = ""
    """Why nothing of its archive is seen, though a run of it ended well; empty where all is well."""
    last_success: Attempt | None = None
    last_attempt: Attempt | None = None
    forbidden: tuple[str, ...] = ()
    """Names of the guild's channels that the token cannot read."""
    vanished: tuple[str, ...] = ()
    """Names of channels that are gone from the guild; what is archived of them stays."""

    @property
    def removed(self) -> bool:
        """Whether only its history is left."""
        return self.folder is None

    @property
    def unarchived(self) -> tuple[str, ...]:
        """Names of channels that no run archives, by the last scrape that looked."""
        gain = self.last_attempt.gain if self.last_attempt is not None else None
        gain = gain or (self.last_success.gain if self.last_success is not None else None)
        return gain.unarchived if gain is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How everything stands."""

    now: datetime
    archive_root: Path
    targets: tuple[TargetStanding, ...]
    lock: LockStatus | None
    running: tuple[RunRow, ...]
    recent: tuple[RunRow, ...]
    schedule: Schedule
    limits: Limits
    remarks: tuple[Remark, ...]

    @property
    def level(self) -> Level:
        return max((remark.level for remark in self.remarks), default=Level.OK)


def limits_for(schedule: Schedule, /, *, warn_after: timedelta | None, fail_after: timedelta | None) -> Limits:
    """Return what was asked for, else what follows from the schedule: one missed run warns, two missed ones fail."""
    every = schedule.every
    warn = (WARN_AFTER if every is None else every + _GRACE) if warn_after is None else warn_after
    fail = (FAIL_AFTER if every is None else 2 * every + _GRACE) if fail_after is None else fail_after
    return Limits(warn_after=warn, fail_after=max(fail, warn))


def read_standing(
    targets_file: TargetsFile,
    /,
    *,
    runs: Path,
    folder: Path,
    environment: Mapping[str, str],
    schedule: Schedule,
    limits: Limits,
    now: datetime,
    days: int,
) -> Standing:
    """Return how the targets of a file stand. Locks nothing, asks nobody, writes nothing."""
    root = targets_file.archive_root
    enabled = [target.name for target in targets_file.targets if target.enabled]
    nights = read_nights(runs_of(runs, folder=folder, archive_root=root), wanted=enabled, now=now)
    known = {target.name for target in targets_file.targets}
    targets = [_target(target, nights, now=now, days=days) for target in targets_file.targets]
    targets += [
        TargetStanding(
            name=name,
            folder=None,
            enabled=False,
            last_success=nights.last_success.get(name),
            last_attempt=nights.last_attempt.get(name),
        )
        for name in sorted(nights.seen_targets - known)
    ]
    lock, lock_error = _lock(root, environment)
    remarks = [*_about_runs(targets), *(remark for target in targets for remark in _remarks(target, limits, now))]
    remarks += [*lock_error, *_about_clocks(nights.to_come, now)]
    if lock is not None and lock.verdict is Verdict.SUSPECT:
        remarks.append(Remark(level=Level.WARNING, text=f"lock {lock.state}", fix="dce-play lock status"))
    return Standing(
        now=now,
        archive_root=root,
        targets=tuple(targets),
        lock=lock,
        running=tuple(nights.running),
        recent=tuple(nights.recent),
        schedule=schedule,
        limits=limits,
        remarks=tuple(remarks),
    )


def _target(target: Target, nights: Nights, *, now: datetime, days: int) -> TargetStanding:
    success = nights.last_success.get(target.name)
    try:
        growth = read_growth(target.output_dir, now=now, days=days, known=target.channel_ids)
        missing = _missing(target.output_dir, success) if not growth.channels else ""
    except OSError as error:
        growth, missing = Growth(), f"the archive cannot be read: {(error.strerror or str(error)).lower()}"
    guild = sorted((read_guild(TargetLayout(target.output_dir)) or {}).items(), key=lambda each: int(each[0]))
    return TargetStanding(
        forbidden=tuple(each.name or channel_id for channel_id, each in guild if each.forbidden),
        vanished=tuple(each.name or channel_id for channel_id, each in guild if each.vanished),
        name=target.name,
        folder=target.output_dir,
        enabled=target.enabled,
        media=target.media.on,
        growth=growth,
        missing=missing,
        last_success=success,
        last_attempt=nights.last_attempt.get(target.name),
    )


def _missing(folder: Path, success: Attempt | None) -> str:
    """Return why an archive without channel files is not what the last success left, if so. Raises: OSError."""
    if success is None:
        return ""
    if not folder.is_dir():
        return "the archive is not there any more"
    had = success.gain is not None and any(each.total or each.added for each in success.gain.channels)
    return "the archive has no channel files any more" if had else ""


def _lock(root: Path, environment: Mapping[str, str]) -> tuple[LockStatus | None, list[Remark]]:
    try:
        return archive_lock_status(root, environment), []
    except (DcePlayError, OSError) as error:
        return None, [Remark(level=Level.WARNING, text=f"the lock cannot be looked at: {error}")]


def _about_runs(targets: Sequence[TargetStanding]) -> Iterator[Remark]:
    """Yield a remark for each last run that was not a good one, of all targets that it was of."""
    found: dict[str, tuple[Attempt, list[str]]] = {}
    for target in targets:
        attempt = target.last_attempt
        if target.enabled and attempt is not None and attempt.word != "ok":
            found.setdefault(attempt.run_id, (attempt, []))[1].append(target.name)
    for attempt, names in found.values():
        because = f": {attempt.error}" if attempt.error else ""
        yield Remark(
            level=Level.WARNING if attempt.word == "refused" else Level.CRITICAL,
            target=", ".join(names),
            text=f"last run, {attempt.name}, {attempt.word}{because}",
            fix=f"dce-play runs show {attempt.run_id.rpartition('-')[2]}",
        )


def _about_clocks(to_come: Sequence[RunInfo], now: datetime) -> Iterator[Remark]:
    """Yield a remark for the runs that began at a time which is still to come: they say nothing of last night."""
    if to_come:
        first = to_come[0]
        others = f" and {len(to_come) - 1} more" if len(to_come) > 1 else ""
        text = f"run {first.short_id}{others} began at a time to come, {day_and_time(first.started, now)}, by a clock"
        text += " that was wrong: it does not count" if not others else " that was wrong: they do not count"
        yield Remark(level=Level.OK, text=text, fix=f"dce-play runs show {first.short_id}")


def _remarks(target: TargetStanding, limits: Limits, now: datetime) -> Iterator[Remark]:
    if not target.enabled:
        return
    if target.missing:
        fix = f"ls -ld {shlex.quote(str(target.folder))}"
        yield Remark(level=Level.CRITICAL, target=target.name, text=target.missing, fix=fix)
    success = target.last_success
    if success is None:
        text = "no run that ended well is known"
        yield Remark(level=Level.CRITICAL, target=target.name, text=text, fix="dce-play runs list")
    else:
        old = timedelta(seconds=age_s(success.at, now))
        if old > limits.warn_after:
            level = Level.CRITICAL if old > limits.fail_after else Level.WARNING
            text = f"the last success is {age(old.total_seconds())} old"
            yield Remark(level=level, target=target.name, text=text, fix="dce-play runs list")
    if target.unarchived:
        what = counted(len(target.unarchived), "channel is", "channels are")
        text = f"{what} not archived: {', '.join(target.unarchived)}"
        yield Remark(
            level=Level.WARNING,
            target=target.name,
            text=text,
            fix=f"dce-play targets discover --new --target {shlex.quote(target.name)}",
        )
    for names, what in ((target.forbidden, "cannot be read by this token"), (target.vanished, "gone from the guild")):
        if names:
            many = counted(len(names), "channel")
            yield Remark(level=Level.OK, target=target.name, text=f"{many} {what}: {', '.join(names)}")
