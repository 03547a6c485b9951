"""The kernel's own refusal to write, in processes of their own: it cannot be undone."""

import subprocess
from pathlib import Path

import pytest

from dce_play.system.landlock import landlock_version
from tests.support.processes import python

pytestmark = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")

SEALED = """
import os, subprocess, sys
from pathlib import Path
from dce_play.system.landlock import forbid_writes
inside, outside = map(Path, sys.argv[1:])
kept = os.open(outside / "kept", os.O_WRONLY)
assert forbid_writes((inside, outside / "allowed"))
def tries(act):
    try:
        act()
        return "done"
    except OSError as error:
        return error.strerror
print(tries(lambda: (inside / "new").write_text("x")))
print(tries(lambda: (outside / "allowed").write_text("x")))
print(tries(lambda: open("/dev/null", "w").close()))
print(tries(lambda: os.write(kept, b"y")))
print(tries(lambda: (outside / "new").write_text("x")))
print(tries(lambda: (outside / "kept").write_text("x")))
print(tries(lambda: os.truncate(outside / "kept", 0)))
print(tries(lambda: (outside / "kept").unlink()))
print(tries(lambda: (outside / "kept").rename(inside / "kept")))
print(tries(lambda: (outside / "folder").mkdir()))
print(subprocess.run(["sh", "-c", f"echo x > {outside}/new"], stderr=subprocess.DEVNULL).returncode)
"""


def test_writes_are_refused_outside_of_what_is_allowed_to_us_and_our_children(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("kept", encoding="utf-8")
    (outside / "allowed").write_text("old and long", encoding="utf-8")
    said = subprocess.run(python(SEALED, inside, outside), check=True, capture_output=True, text=True).stdout
    assert said.splitlines() == [*["done"] * 4, *["Permission denied"] * 6, "2"]
    assert sorted(path.name for path in outside.iterdir()) == ["allowed", "kept"]
    assert (outside / "kept").read_text(encoding="utf-8") == "yept"
    assert (outside / "allowed").read_text(encoding="utf-8") == "x"


def test_a_place_that_is_not_there_is_an_error_and_not_an_open_door(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from dce_play.system.landlock import forbid_writes as f\n"
    argv = python(script + "f((Path(sys.argv[1]),))", tmp_path / "none")
    assert b"FileNotFoundError" in subprocess.run(argv, check=False, capture_output=True).stderr
