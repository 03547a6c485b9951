"""Folders that change places: the way back is read from the names, and loses none of them."""

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from dce_play.system.durable import swaps
from dce_play.system.durable.swaps import Swap, is_made, swap_back


def prepared(folder: Path, name: str, *, had_old: bool = True) -> Swap:
    """Return a swap that has not begun: what is in the place says ``old``, what waits beside it says ``new``."""
    place = folder / name
    if had_old:
        place.mkdir()
        (place / "old").touch()
    (folder / f"{name}.beside").mkdir()
    (folder / f"{name}.beside" / "new").touch()
    aside, beside, undone = (str(folder / f"{name}.{key}") for key in ("aside", "beside", "undone"))
    return Swap(place=str(place), aside=aside, beside=beside, undone=undone, had_old=had_old)


def go(swap: Swap, renames: int) -> None:
    """Make the first of a swap's renames."""
    steps = [(swap["place"], swap["aside"])] if swap["had_old"] else []
    for source, destination in [*steps, (swap["beside"], swap["place"])][:renames]:
        Path(source).rename(destination)


def content(path: str) -> list[str]:
    return [each.name for each in Path(path).iterdir()] if Path(path).exists() else []


@pytest.mark.parametrize(("first", "second"), [each for each in product(range(3), range(3)) if each != (2, 2)])
def test_swaps_of_which_not_all_were_made_are_all_put_back(tmp_path: Path, first: int, second: int) -> None:
    both = [prepared(tmp_path, "a"), prepared(tmp_path, "b")]
    for swap, renames in zip(both, (first, second), strict=True):
        go(swap, renames)
    swap_back(both)
    for swap, renames in zip(both, (first, second), strict=True):
        assert content(swap["place"]) == ["old"]
        assert content(swap["undone" if renames == 2 else "beside"]) == ["new"]
        assert content(swap["aside"]) == []
    assert swap_back(both) == []


def test_swaps_that_were_all_made_stay_unless_told(tmp_path: Path) -> None:
    swap = prepared(tmp_path, "a")
    go(swap, 2)
    assert is_made(swap)
    assert swap_back([swap]) == []
    assert content(swap["place"]) == ["new"]

    told = swap_back([swap], whole_too=True)
    assert told == [f"{swap['place']} was put aside as {swap['undone']}", f"{swap['place']} is what it was"]
    assert (content(swap["place"]), content(swap["undone"])) == (["old"], ["new"])


@pytest.mark.parametrize("made", [False, True])
def test_a_place_that_was_empty_is_empty_again(tmp_path: Path, made: bool) -> None:
    empty, other = prepared(tmp_path, "a", had_old=False), prepared(tmp_path, "b")
    go(empty, int(made))
    assert is_made(empty) == made
    swap_back([empty, other])
    assert not Path(empty["place"]).exists()
    assert content(empty["undone" if made else "beside"]) == ["new"]
    assert content(other["place"]) == ["old"]


@pytest.mark.parametrize("missing", ["place", "aside"])
def test_a_swap_is_made_when_the_new_one_is_in_its_place_and_the_old_one_aside(tmp_path: Path, missing: str) -> None:
    swap = prepared(tmp_path, "a")
    assert not is_made(swap)
    go(swap, 2)
    Path(swap[missing]).rename(tmp_path / "elsewhere")  # type: ignore[literal-required]  # one of its keys
    assert not is_made(swap)


def test_what_was_undone_before_is_not_replaced(tmp_path: Path) -> None:
    swap = prepared(tmp_path, "a")
    go(swap, 2)
    Path(swap["undone"]).mkdir()
    with pytest.raises(FileExistsError, match="it is there already") as caught:
        swap_back([swap], whole_too=True)
    assert caught.value.filename == swap["undone"]
    assert (content(swap["place"]), content(swap["aside"])) == (["new"], ["old"])


def test_the_file_goes_back_as_a_program_of_its_own(tmp_path: Path) -> None:
    swap = prepared(tmp_path, "a")
    go(swap, 1)
    argv = [sys.executable, "-I", swaps.__file__, json.dumps([swap])]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, f"{swap['place']} is what it was\n")
    assert content(swap["place"]) == ["old"]
