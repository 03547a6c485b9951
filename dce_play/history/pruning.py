"""Removing a project's old run folders by itself, after a run, a few at a time."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from dce_play.history.nights import MOST_LOOKED_AT
from dce_play.runner.record.folders import (
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


def remove_beyond(runs: Path, /, *, keep: int, folder: Path, archive_root: Path | None) -> list[OSError]:
    """Remove this project's runs but the newest ``keep``, a few of the oldest at a time; return what cannot be removed.

    A run that goes on, that can be resumed or whose journal is damaged stays, and so does whatever belongs to another
    project. Raises: OSError, when the runs cannot be looked through.
    """
    folders = list(newest_folders(runs))
    newest = 0
    for position, place in enumerate(islice(folders, MOST_LOOKED_AT)):
        newest += _is_ours(place, folder=folder, archive_root=archive_root)
        if newest == keep:
            return list(_remove(folders[:position:-1], folder=folder, archive_root=archive_root))
    return []


def _is_ours(place: Path, *, folder: Path, archive_root: Path | None) -> bool:
    if not (place / JOURNAL_NAME).is_file():
        return False
    info = peek_run(place)
    return info.state is not State.DAMAGED and is_of(info, folder=folder, archive_root=archive_root)


def _remove(oldest_first: list[Path], *, folder: Path, archive_root: Path | None) -> Iterator[OSError]:
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
            yield error
        count += 1
