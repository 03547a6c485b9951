"""Records that only save work: the work goes on without them, and says so once."""

import subprocess
from pathlib import Path

import pytest

from dce_play.system.durable.unkept import can_keep
from tests.support.processes import as_nobody, python

SCRIPT = """
from pathlib import Path
from dce_play.system.durable.unkept import can_keep
import logging, sys
logging.basicConfig(format="%(message)s", stream=sys.stdout)
---
print([can_keep(Path(sys.argv[1]), "its records") for _ in range(2)])
"""


def test_a_folder_is_made_with_its_parents_and_may_be_there(tmp_path: Path) -> None:
    assert can_keep(tmp_path / "a" / "b", "records")
    assert can_keep(tmp_path / "a" / "b", "records")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        python(SCRIPT.replace("---\n", ""), tmp_path / "file" / "f"), capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    said = f"going on without its records ({tmp_path}/file/f: not a directory); everything is read in full"
    assert done.stdout == f"warning: {said}\n[False, False]\n"


@pytest.mark.root
def test_a_folder_that_another_user_may_not_write_is_told_once() -> None:
    done = subprocess.run(as_nobody(SCRIPT, "/etc"), capture_output=True, text=True, timeout=60, check=True)
    said = "going on without its records (/etc may not be written); everything is read in full"
    assert done.stdout == f"warning: {said}\n[False, False]\n"
