"""How a project stands, as one page for people."""

from collections.abc import Iterator
from datetime import datetime

from dce_play.history.columns import GAP, cut, table
from dce_play.history.run_rows import row_lines
from dce_play.history.scheduled import Schedule
from dce_play.history.sparkline import sparkline
from dce_play.history.standing import Level, Remark, Standing, TargetStanding
from dce_play.history.when import age, age_s, day_and_time
from dce_play.render.text import one_line
from dce_play.system.counted import counted
from dce_play.system.lock.status import Verdict

_NAME = 0
_LESS_TELLING = (6, 5, 4, 3)
"""The columns that a narrow terminal does not show: blocks, growth, channels, messages."""
_RECENT = 3
_LABEL = 9
_DAYS = 14
"""Days in the line of blocks."""


def standing_lines(standing: Standing, /, *, cells: int, ascii_only: bool = False) -> Iterator[str]:
    """Yield the lines; the first begins with ``OK``, ``WARNING`` or ``CRITICAL``."""
    yield _first_line(standing, cells)
    yield ""
    rows = [_cells(target, standing, ascii_only) for target in standing.targets]
    for line in table(rows, stretch=_NAME, cells=cells - 2, drop=_LESS_TELLING):
        yield f"  {GAP.join(line)}".rstrip()
    if standing.remarks:
        yield ""
    for remark in standing.remarks:
        yield from _remark(remark, cells)
    yield ""
    for row in standing.running:
        text = f"{one_line(row.info.name)}  {row.place.words(row.info.step_count)}  {row.info.short_id}"
        yield _labelled("running", text, cells)
    yield _labelled("lock", lock_words(standing), cells)
    for words in next_words(standing.schedule, standing.now):
        yield _labelled("next", words, cells)
    bare = [one_line(target.name) for target in standing.targets if target.enabled and not target.media]
    if bare:
        yield _labelled("media", f"not kept, and their URLs expire: {', '.join(bare)}", cells)
    lines = row_lines(standing.recent[:_RECENT], now=standing.now, cells=cells - _LABEL)
    for number, line in enumerate(lines):
        yield f"{'last runs' if number == 0 else '':<{_LABEL}} {GAP.join(line)}".rstrip()


def _first_line(standing: Standing, cells: int) -> str:
    enabled = [target for target in standing.targets if target.enabled]
    count = counted(len(enabled), "target")
    messages = sum(target.growth.messages for target in standing.targets)
    held = counted(messages, "message", grouped=True)
    return cut(f"{standing.level.name}  {count}  {held}  {one_line(str(standing.archive_root))}", cells)


def _cells(target: TargetStanding, standing: Standing, ascii_only: bool) -> list[str]:
    growth = target.growth
    if target.removed:
        return [one_line(target.name), "removed", _success(target, standing.now), "", "", "", ""]
    recent = [count for _, count in growth.by_day[-_DAYS:]]
    return [
        one_line(target.name),
        state_word(target, standing),
        _success(target, standing.now),
        f"{growth.messages:,}+ messages" if growth.uncounted else counted(growth.messages, "message", grouped=True),
        counted(growth.channels, "channel"),
        f"+{sum(recent):,}" if any(recent) else "",
        sparkline(recent, ascii_only=ascii_only),
    ]


def state_word(target: TargetStanding, standing: Standing, /) -> str:
    """Return how the target stands in one word."""
    if target.removed:
        return "removed"
    if not target.enabled:
        return "disabled"
    if target.missing:
        return "missing"
    attempt = target.last_attempt
    if attempt is not None and attempt.word != "ok":
        return attempt.word
    if target.last_success is None:
        return "never"
    late = age_s(target.last_success.at, standing.now) > standing.limits.warn_after.total_seconds()
    return "late" if late else "ok"


def _success(target: TargetStanding, now: datetime) -> str:
    if target.last_success is None:
        return "-"
    return f"{age(age_s(target.last_success.at, now))} ago"


def lock_words(standing: Standing, /) -> str:
    """Return who holds the lock, or that nobody does."""
    lock = standing.lock
    if lock is None:
        return "cannot be looked at"
    if lock.verdict is not Verdict.HELD:
        return one_line(lock.state)
    holder = lock.holders[0] if lock.holders else None
    by = f" by pid {holder.pid}" if holder is not None else ""
    since = f" since {day_and_time(lock.meta.started, standing.now)}" if lock.meta and lock.meta.started else ""
    return f"held{by}{since}"


def next_words(schedule: Schedule, now: datetime, /) -> list[str]:
    """Return a line for each scheduled job, or one that says that there is none."""
    if schedule.unknown and not schedule.jobs:
        return [f"not known: {one_line(schedule.unknown)}"]
    found = [f"{_day(job.next_at, now)} {job.next_at:%H:%M}  {job.name} ({job.by})" for job in schedule.jobs]
    return found or ["nothing is scheduled: dce-play run schedule --dry-run"]


def _day(at: datetime, now: datetime) -> str:
    days = (at.date() - now.date()).days
    return {0: "today", 1: "tomorrow"}.get(days, at.date().isoformat())


def _remark(remark: Remark, cells: int) -> Iterator[str]:
    sign = "✗" if remark.level is Level.CRITICAL else "!"
    about = f"{one_line(remark.target)}  " if remark.target else ""
    yield cut(f"{sign} {about}{one_line(remark.text)}", cells)
    if remark.fix:
        yield f"    {remark.fix}"


def _labelled(label: str, text: str, cells: int) -> str:
    return cut(f"{label:<{_LABEL}} {text}", cells)
