"""Folders that change places by two renames each, and the way back when only some of them were made.

A swap puts aside what is in a place and moves what was prepared beside it in. Which renames were made is read from the
names that are there, so the way back needs no record of progress. ``python swaps.py JSON`` goes back, standard library
only: the guard process runs it when whoever swapped was killed.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TypedDict


class Swap(TypedDict):
    """One place and its two other names, all absolute and in one folder."""

    place: str
    aside: str
    """Where what was in the place goes."""
    beside: str
    """Where the new one waits."""
    undone: str
    """Where goes what is in the place when it gives way to what was put aside."""
    had_old: bool
    """Whether there was anything in the place."""


def is_made(swap: Mapping[str, object]) -> bool:
    """Return whether the new one is in its place, and the old one aside."""
    there = os.path.lexists
    is_aside = not swap["had_old"] or there(str(swap["aside"]))
    return there(str(swap["place"])) and not there(str(swap["beside"])) and is_aside


def swap_back(swaps: Iterable[Mapping[str, object]], *, whole_too: bool = False) -> list[str]:
    """Put everything back unless every swap was made; return a line for each rename. Removes nothing.

    ``whole_too``: also when every one was made. A second call finds nothing to do.

    Raises: OSError.
    """
    found = list(swaps)
    if not whole_too and all(map(is_made, found)):
        return []
    told = []
    for swap in reversed(found):
        place, aside = str(swap["place"]), str(swap["aside"])
        is_aside = os.path.lexists(aside)
        if os.path.lexists(place) and (is_aside or (not swap["had_old"] and is_made(swap))):
            _rename(place, str(swap["undone"]))
            told.append(f"{place} was put aside as {swap['undone']}")
        if is_aside:
            _rename(aside, place)
            told.append(f"{place} is what it was")
        _sync(os.path.dirname(place))  # noqa: PTH120 - this file starts without pathlib, at once
    return told


def _rename(source: str, destination: str) -> None:
    if os.path.lexists(destination):
        raise FileExistsError(17, "it is there already", destination)
    os.rename(source, destination)  # noqa: PTH104 - as above


def _sync(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    for line in swap_back(json.loads(sys.argv[1])):
        sys.stderr.write(f"{line}\n")
