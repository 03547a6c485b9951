"""Removing a project's old run folders by itself, after a run, a few at a time."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from dce_play.history.nights import MOST_LOOKED_AT
from dce_play.runner.record.folders import (
    RunInfo,
    State,
    is_of,
    newest_folders,
    peek_run,
    read_run,
    remove_run,
)
from dce_play.runner.record.journal import JOURNAL_NAME, RunStillGoing

_MOST_REMOVED = 50
"""In one go. What is left is removed after the runs that follow."""


def remove_beyond(
    runs: Path,
    /,
    *,
    keep: int,
    folder: Path,
    archive_root: Path | None,
    failed: Callable[[OSError], object] | None = None,
) -> list[RunInfo]:
    """Remove this project's runs but the newest ``keep``, a few of the oldest at a time; return those removed.

    A run that goes on, that can be resumed or whose journal is damaged stays, and so does whatever belongs to another
    project. ``failed`` is told of each that cannot be removed; without it the first is raised.
    Raises: OSError, also when the runs cannot be looked through.
    """
    folders = list(newest_folders(runs))
    newest = 0
    for position, place in enumerate(islice(folders, MOST_LOOKED_AT)):
        newest += _is_ours(place, folder=folder, archive_root=archive_root)
        if newest == keep:
            return list(_removed(folders[:position:-1], failed, folder=folder, archive_root=archive_root))
    return []


def _is_ours(place: Path, *, folder: Path, archive_root: Path | None) -> bool:
    if not (place / JOURNAL_NAME).is_file():
        return False
    info = peek_run(place)
    return info.state is not State.DAMAGED and is_of(info, folder=folder, archive_root=archive_root)


def _removed(
    oldest_first: list[Path],
    failed: Callable[[OSError], object] | None,
    *,
    folder: Path,
    archive_root: Path | None,
) -> Iterator[RunInfo]:
    count = 0
    for place in oldest_first[:MOST_LOOKED_AT]:
        if count == _MOST_REMOVED:
            return
        if not _is_ours(place, folder=folder, archive_root=archive_root):
            continue
        info = read_run(place)
        if info.state in {State.RUNNING, State.DAMAGED} or info.resumable:
            continue
        try:
            remove_run(info)
        except RunStillGoing:
            continue
        except OSError as error:
            if failed is None:
                raise
            failed(error)
            continue
        count += 1
        yield info
