"""``inv mutate``: which tests a core is held to, and what programs of tests hear of mutmut."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.mutate import TOP, NothingToMutate, mirrored, prepare


@pytest.mark.parametrize(
    ("source", "tests"),
    [
        ("dce_play/system/durable", "tests/unit/system/durable"),
        ("dce_play/system/durable/names", "tests/unit/system/durable"),
        ("dce_play/backup/keep/retention", "tests/unit/backup/keep"),
    ],
)
def test_a_core_is_held_to_the_tests_that_are_called_as_it_is(source: str, tests: str) -> None:
    assert mirrored(source) == tests


def test_code_that_is_not_there_is_told_and_no_folder_is_made() -> None:
    with pytest.raises(NothingToMutate, match="no code at dce_play/nowhere"):
        prepare("dce_play/nowhere", [])
    assert not (TOP / "build" / "mutate" / "dce_play.nowhere").exists()


@pytest.mark.parametrize(("told", "heard"), [("stats", None), ("a.mutant", "a.mutant")])
def test_programs_of_tests_hear_of_a_mutant_and_not_of_the_counting(
    tmp_path: Path, told: str, heard: str | None
) -> None:
    one = tmp_path / "test_one.py"
    one.write_text(f"import os\ndef test_one(): assert os.environ.get('MUTANT_UNDER_TEST') == {heard!r}\n")
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.mutation", "-p", "no:cacheprovider", str(one)]
    done = subprocess.run(
        argv, cwd=TOP, env={**os.environ, "MUTANT_UNDER_TEST": told}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
