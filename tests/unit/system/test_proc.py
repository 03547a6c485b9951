"""What ``/proc`` tells of real processes."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from dce_play.system import proc
from tests.support.processes import eventually, python, running


def test_a_process_is_alive_and_then_gone() -> None:
    with running(["sh", "-c", "echo up; exec sleep 600"], until="up") as process:
        ticks = proc.start_ticks(process.pid)
        assert ticks is not None
        assert proc.liveness(process.pid) is proc.Liveness.ALIVE
        assert proc.liveness(process.pid, ticks=ticks) is proc.Liveness.ALIVE
        assert proc.liveness(process.pid, ticks=ticks + 1) is proc.Liveness.REUSED
        process.kill()
        assert eventually(lambda: proc.liveness(process.pid) is proc.Liveness.GONE)  # a zombie until waited for
        process.wait()
        assert proc.liveness(process.pid) is proc.Liveness.GONE


@pytest.mark.parametrize("pid", [99_999_999, 1 << 40])
def test_a_number_too_great_for_a_pid_is_gone(pid: int) -> None:
    assert proc.liveness(pid) is proc.Liveness.GONE


def test_a_name_with_spaces_and_brackets_does_not_shift_the_fields(tmp_path: Path) -> None:
    odd = tmp_path / ") 1 (a b"
    odd.symlink_to("/bin/sleep")
    with running([odd, "600"]) as process:
        assert eventually(lambda: proc.command_line(process.pid).startswith(str(odd)))
        here, there = proc.start_ticks(os.getpid()), proc.start_ticks(process.pid)
        assert here is not None
        assert there is not None
        assert there >= here


def test_when_a_process_started_is_told_to_a_second() -> None:
    before = time.time()
    with running(["sh", "-c", "echo up; exec sleep 600"], until="up") as process:
        begun = proc.started_at(process.pid)
        assert begun is not None
        assert abs(begun - before) < 3
    assert proc.started_at(99_999_999) is None


def test_a_flock_is_listed_with_its_taker_and_holders(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.touch()
    status = path.stat()
    assert proc.flocks(status.st_ino) == []
    with path.open() as file:
        assert list(proc.holders(status.st_dev, status.st_ino)) == []
        fcntl.flock(file, fcntl.LOCK_EX)
        assert [entry.pid for entry in proc.flocks(status.st_ino)] == [os.getpid()]
        assert [entry.device for entry in proc.flocks(status.st_ino)] == [status.st_dev]
        assert [holder.pid for holder in proc.holders(status.st_dev, status.st_ino)] == [os.getpid()]


def test_a_command_line_cannot_forge_lines() -> None:
    script = "import time; print('up', flush=True); time.sleep(600)"
    with running(python(script, "a\nstate: free\x1b[0m"), until="up") as process:
        line = proc.command_line(process.pid)
    assert "a state: free [0m" in line
    assert line.isprintable()


def test_this_boot_and_namespace_have_names() -> None:
    assert len(proc.boot_id()) == 36
    assert proc.pid_namespace().startswith("pid:[")
