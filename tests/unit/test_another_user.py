"""The suite runs as another user than root, and in the background of a shell."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from tests.conftest import pytest_configure
pytest_configure()
import subprocess, sys
child = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
sys.exit(subprocess.run([sys.executable, "-c", child]).returncode)
"""


SKIPPING = """
import os
from tests.conftest import pytest_collection_modifyitems
if os.geteuid() == 0:
    os.seteuid(65534)
class Item:
    def __init__(self, root):
        self.root, self.marks = root, []
    def get_closest_marker(self, name):
        return self.root if name == "root" else None
    def add_marker(self, mark):
        self.marks.append(mark)
items = [Item(True), Item(None)]
pytest_collection_modifyitems(items)
print([[(mark.name, mark.kwargs["reason"]) for mark in item.marks] for item in items])
"""


@pytest.mark.contract("F-U3")
def test_programs_of_a_suite_in_the_background_hear_ctrl_c() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


@pytest.mark.contract("F-U3")
def test_what_is_marked_as_roots_is_skipped_for_another_user() -> None:
    argv = [sys.executable, "-c", SKIPPING]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "[[('skip', 'needs uid 0')], []]\n"), done.stderr


@pytest.mark.contract("F-U3")
def test_what_needs_root_is_skipped_with_a_reason() -> None:
    marked = [path for path in (ROOT / "tests").rglob("test_*.py") if "os.chown(" in path.read_text(encoding="utf-8")]
    assert marked
    for path in marked:
        text = path.read_text(encoding="utf-8")
        asks = "geteuid()" in text or "mark.root" in text
        assert asks, f"{path} gives files away and does not ask who it is"
