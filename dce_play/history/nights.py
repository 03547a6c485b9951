"""The runs of a project, looked through for what each target's last ones were."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from dce_play.events import Mode
from dce_play.history.gains import TargetGain, read_gains
from dce_play.history.run_rows import RunRow, run_row
from dce_play.runner.record.folders import RunInfo, State, each_run, is_of

MOST_LOOKED_AT = 1_000
"""So many of the newest runs are looked through for this project's: beyond, it would be slow."""
_MOST_READ = 300
"""Of so many the journal is read for what became of each target."""
RECENT = 10
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run's try at a target."""

    run_id: str
    name: str
    """The playbook's."""
    word: str
    """``ok``, or how the run ended that did not bring the target to a good end."""
    at: str
    """When it ended, or began where nothing tells the end; as events show times."""
    error: str = ""
    exit_code: int | None = None
    gain: TargetGain | None = None


@dataclass(slots=True)
class Nights:
    """What the newest runs tell."""

    running: list[RunRow] = field(default_factory=list)
    recent: list[RunRow] = field(default_factory=list)
    last_attempt: dict[str, Attempt] = field(default_factory=dict)
    last_success: dict[str, Attempt] = field(default_factory=dict)
    seen_targets: set[str] = field(default_factory=set)
    to_come: list[RunInfo] = field(default_factory=list)
    """Runs that began at a time which is still to come: a clock was wrong."""


def runs_of(runs: Path, /, *, folder: Path, archive_root: Path | None) -> Iterator[RunInfo]:
    """Yield this project's runs among the newest, the newest first."""
    newest = islice(each_run(runs), MOST_LOOKED_AT)
    return (info for info in newest if is_of(info, folder=folder, archive_root=archive_root))


def read_nights(infos: Iterable[RunInfo], /, *, wanted: Iterable[str], now: datetime) -> Nights:
    """Return what these runs, the newest first, tell of the targets; ``wanted`` are those looked for to the end.

    A run of a time to come is among the recent ones, and tells nothing: it would hide all that fails until then.
    """
    nights, open_targets, read = Nights(), set(wanted), 0
    for info in infos:
        nights.seen_targets.update(info.targets)
        if info.state is State.RUNNING:
            nights.running.append(run_row(info))
            continue
        row = run_row(info) if len(nights.recent) < RECENT else None
        if row is not None:
            nights.recent.append(row)
        if info.started and datetime.fromisoformat(info.started) > now + _CLOCKS_DIFFER:
            nights.to_come.append(info)
            continue
        if info.mode is Mode.DRY_RUN or info.state is State.DAMAGED:
            continue
        missing = {name for name in info.targets if name not in nights.last_success}
        if not missing or (row is None and (read >= _MOST_READ or not missing & open_targets)):
            continue
        read += 1
        gains = row.gains if row is not None else read_gains(info.folder)
        _note(nights, info, {gain.target: gain for gain in gains.targets})
        open_targets -= nights.last_success.keys()
    return nights


def _note(nights: Nights, info: RunInfo, gains: Mapping[str, TargetGain]) -> None:
    for name in info.targets:
        gain = gains.get(name)
        if gain is None and info.state is State.OK:
            continue  # it did something else with the target
        good = gain is not None and gain.ok
        attempt = Attempt(
            run_id=info.run_id,
            name=info.name,
            word="ok" if good else "refused" if info.refused else str(info.state),
            at=(gain.ended if gain is not None else "") or info.started,
            error="" if good else info.error,
            exit_code=info.exit_code,
            gain=gain,
        )
        nights.last_attempt.setdefault(name, attempt)
        if good:
            nights.last_success.setdefault(name, attempt)
