"""What is promised to be undone: how long a command may take for it, and how often it is tried."""

import inspect
import os
from pathlib import Path

import pytest

from dce_play.system.process.executor import LocalExecutor
from dce_play.system.process.streaming import Streams
from dce_play.system.process.undo_guard import UndoGuard, UndoReport
from dce_play.system.redact import Masker
from tests.support.bounds import at_most


def undone(folder: Path, script: str, *, timeout_s: float = 60.0) -> UndoReport:
    """Have a guard run a script in the end; return what became of it."""
    executor = LocalExecutor(dict(os.environ), Masker())
    with UndoGuard(Streams(dict(os.environ), Masker()), executor, max_s=60.0) as guard:
        guard.promise(("sh", "-c", script), cwd=folder, timeout_s=timeout_s)
        return guard.undo()


@pytest.mark.parametrize("beyond", [0, 1])
def test_what_cannot_be_undone_is_tried_so_often(tmp_path: Path, beyond: int) -> None:
    tries = at_most("system.process.undo_guard_process:_TRIES")
    needed = tries + beyond
    report = undone(tmp_path, f'echo >> tries; [ "$(wc -l < tries)" -ge {needed} ] || {{ echo no >&2; exit 3; }}')
    assert (tmp_path / "tries").read_text().count("\n") == tries
    assert report.failed == (("sh: exit code 3: no",) if beyond else ())


def test_a_command_that_undoes_and_hangs_is_ended_and_told(tmp_path: Path) -> None:
    report = undone(tmp_path, "echo >> tries; exec sleep 1000", timeout_s=0.1)
    assert (tmp_path / "tries").read_text().count("\n") == at_most("system.process.undo_guard_process:_TRIES")
    (told,) = report.failed
    assert "timed out after 0.1 seconds" in told
    most = inspect.signature(UndoGuard.promise).parameters["timeout_s"].default
    assert most == at_most("system.process.undo_guard:_UNDO_TIMEOUT_S")
