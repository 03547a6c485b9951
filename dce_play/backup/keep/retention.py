"""Which backups of a module are kept: a pure function from what is there to what stays and what may go.

Counts, not days alone: after a missed month the folder must not be empty. The newest good backup always stays.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

DEFAULT_LAST = 3
REQUIRED_LEVEL = 2
"""What ``backup.require`` asks for where nobody says otherwise."""
CLOCK_SLACK_S = 300.0
"""How far a backup may be from the future before we believe neither its clock nor ours."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A backup, as far as retention looks at it."""

    file: str
    ended: datetime
    level: int
    is_good: bool
    is_safety: bool
    is_way_back: bool = False
    """A restore that has not ended names it as the way back."""


class Reasoned(msgspec.Struct, frozen=True, kw_only=True):
    """A backup, and why it stays or goes."""

    file: str
    reasons: tuple[str, ...]


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """What a prune of one module would do, newest first."""

    keep: tuple[Reasoned, ...]
    remove: tuple[Reasoned, ...]
    newest_good: str | None


def retain(candidates: Sequence[Candidate], *, now: datetime, keep_last: int, keep_within_s: float | None) -> Retention:
    """Return what stays and what may go. ``keep_last`` is at least 1.

    Without a good backup everything stays: what is bad today may be all that there is.
    """
    ordered = sorted(candidates, key=lambda each: (each.ended, each.file), reverse=True)
    good = [each for each in ordered if each.is_good and not each.is_safety]
    newest = good[0] if good else None
    last = {each.file for each in good[: max(1, keep_last)]}
    highest = max(good, key=lambda each: each.level, default=None)  # the first, so the newest, of those
    checked = [each for each in good if each.level >= REQUIRED_LEVEL]
    # the newest, and the newest that a require believes now: a clock that was ahead left what is from the future
    required = {each.file for each in (*checked[:1], *[each for each in checked if not _is_ahead(each, now)][:1])}
    keep: list[Reasoned] = []
    remove: list[Reasoned] = []
    for each in ordered:
        reasons = []
        if newest is None:
            reasons.append("no-good-backup")
        else:
            if each is newest:
                reasons.append("newest-good")
            if each.file in last:
                reasons.append("last-good")
            if each is highest:
                reasons.append("highest-level")
            if each.file in required:
                reasons.append("required")
            if (each.ended, each.file) > (newest.ended, newest.file):
                reasons.append("newer-than-newest-good")
        if keep_within_s is not None and _is_within(each.ended, now, keep_within_s):
            reasons.append("within")
        if each.is_safety and keep_within_s is None:
            reasons.append("safety")
        if each.is_way_back:
            reasons.append("restore-not-ended")
        if reasons:
            keep.append(Reasoned(file=each.file, reasons=tuple(reasons)))
        else:
            remove.append(Reasoned(file=each.file, reasons=(_why_not(each),)))
    return Retention(keep=tuple(keep), remove=tuple(remove), newest_good=newest.file if newest is not None else None)


def _is_ahead(candidate: Candidate, now: datetime) -> bool:
    return (candidate.ended - now).total_seconds() > CLOCK_SLACK_S


def _is_within(ended: datetime, now: datetime, within_s: float) -> bool:
    try:
        return ended >= now - timedelta(seconds=within_s)
    except OverflowError:
        return True


def _why_not(candidate: Candidate) -> str:
    if candidate.is_safety:
        return "safety-too-old"
    return "surplus" if candidate.is_good else "bad"
