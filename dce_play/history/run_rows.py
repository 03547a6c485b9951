"""Runs as lines of a list: when, how it ended, how long, what, what came of it, and the short id."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from dce_play.events import Mode
from dce_play.history.columns import table
from dce_play.history.gains import RunGains, read_gains
from dce_play.history.under_way import Place, where_is
from dce_play.history.when import age_s, day_and_time
from dce_play.render.text import duration, one_line
from dce_play.runner.record.folders import RunInfo, State
from dce_play.system.counted import counted

_CAME_OF_IT = 5
"""The column that is cut where the line is too long."""
_LESS_TELLING = (2, 4, 3, 5, 0)
"""The columns that a narrow terminal does not show: how long, which targets, what, and at last even more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run, and what its journal tells beyond its two ends."""

    info: RunInfo
    gains: RunGains = field(default_factory=RunGains)
    place: Place = field(default_factory=Place)

    @property
    def word(self) -> str:
        """How it ended, in one word; ``refused`` where it did not come to change anything."""
        return "refused" if self.info.refused else str(self.info.state)


def run_row(info: RunInfo, /) -> RunRow:
    """Return the run with what its journal tells: of one that was cut off where it was, of others what they brought."""
    if info.state is State.DAMAGED or info.refused:
        return RunRow(info=info)
    place = where_is(info.folder) if info.state in {State.RUNNING, State.LOST} else Place()
    return RunRow(info=info, gains=read_gains(info.folder), place=place)


def row_lines(rows: Iterable[RunRow], /, *, now: datetime, cells: int) -> list[list[str]]:
    """Return the cells of each row's line, filled to the width of their columns; the second is how it ended."""
    return table([_cells(row, now) for row in rows], stretch=_CAME_OF_IT, cells=cells, drop=_LESS_TELLING)


def _cells(row: RunRow, now: datetime) -> list[str]:
    info = row.info
    match info.state:
        case State.RUNNING:
            took = duration(age_s(info.started, now)) if info.started else ""
        case State.LOST | State.DAMAGED:
            took = ""
        case _:
            took = duration(info.duration_s)
    name = one_line(info.name) + (" (dry run)" if info.mode is Mode.DRY_RUN else "")
    return [
        day_and_time(info.started, now),
        row.word,
        took,
        name,
        targets_words(info.targets),
        came_of_it(row),
        one_line(info.short_id),
    ]


def targets_words(targets: tuple[str, ...], /) -> str:
    """Return the one target's name, or how many there are; nothing where a run has none."""
    if len(targets) == 1:
        return one_line(targets[0])
    return counted(len(targets), "target") if targets else ""


def came_of_it(row: RunRow, /) -> str:
    """Return what is to be said of the run beyond how it ended: what it brought, or why not."""
    info = row.info
    match info.state:
        case State.RUNNING:
            return row.place.words(info.step_count)
        case State.LOST:
            at = row.place.words(info.step_count)
            return f"killed in {at}" if at else "killed before its first step"
        case State.DAMAGED:
            return one_line(info.error)
        case State.OK:
            return _brought(row)
        case _:
            return " ".join(part for part in (one_line(info.error), _also(row)) if part)


def _brought(row: RunRow) -> str:
    gains = row.gains
    if row.info.mode is Mode.DRY_RUN:
        pending = row.info.counts.get("changed", 0) + row.info.counts.get("maybe", 0)
        return f"{counted(pending, 'step')} would change something"
    if not gains.targets:
        return ""
    if not gains.added:
        return "nothing new"
    return gained(gains)


def _also(row: RunRow) -> str:
    return f"({gained(row.gains)})" if row.gains.added else ""


def gained(gains: RunGains, /) -> str:
    """Return ``+6 in 4 channels``."""
    where = f" in {counted(gains.grown, 'channel')}" if gains.grown else ""
    return f"+{gains.added:,}{where}"
