"""The kernel's lock on one file, against ``flock(1)`` and against files that are replaced."""

import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from dce_play.errors import ExitCode
from dce_play.system.lock.file_lock import LONGEST_PAUSE_S, FileBusy, flock_file, is_locked
from tests.support.fakes import FakeClock
from tests.support.processes import eventually, python, running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "channel.json"
    path.write_text("{}", encoding="utf-8")
    return path


def flock_says(path: Path) -> int:
    return subprocess.run(["flock", "-n", "-E", "9", path, "true"], check=False).returncode


def test_flock_is_kept_out_while_we_hold_and_let_in_after(file: Path) -> None:
    with flock_file(file):
        assert flock_says(file) == 9
    assert flock_says(file) == 0


def test_we_are_kept_out_while_flock_holds(file: Path) -> None:
    with running(["flock", file, "sh", "-c", "echo held; sleep 600"], until="held"):
        with pytest.raises(FileBusy) as busy, flock_file(file):
            pass
        assert busy.value.exit_code == ExitCode.LOCKED
    with flock_file(file, wait_s=20.0):
        pass


def test_a_second_hold_in_the_same_process_is_kept_out_too(file: Path) -> None:
    with flock_file(file), pytest.raises(FileBusy), flock_file(file):
        pass


def test_waiting_ends_when_the_lock_is_let_go(file: Path) -> None:
    holder = flock_file(file)
    holder.__enter__()
    threading.Timer(0.2, holder.__exit__, (None, None, None)).start()
    with flock_file(file, wait_s=20.0) as descriptor:
        assert os.fstat(descriptor).st_ino == file.stat().st_ino


def test_locking_neither_changes_nor_makes_the_file(file: Path, tmp_path: Path) -> None:
    with flock_file(file):
        assert file.read_text(encoding="utf-8") == "{}"
    with pytest.raises(FileNotFoundError), flock_file(tmp_path / "none"):
        pass
    assert not (tmp_path / "none").exists()


@pytest.mark.strace
@pytest.mark.contract("R-5.04")
def test_a_file_replaced_between_opening_and_locking_is_opened_anew(file: Path) -> None:
    """Else two processes hold "the lock" of one name: one of the old file, one of the new."""
    script = (
        "import filelock, os, sys; from pathlib import Path; from dce_play.system.lock.file_lock import flock_file\n"
        "with flock_file(Path(sys.argv[1])) as held: print(os.read(held, 10).decode())"
    )
    slow = "inject=flock:delay_enter=2000000:when=1"
    argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", slow, *python(script, file)]
    old = file.stat()
    with running(argv) as process:
        assert eventually(lambda: is_open(old))
        (file.parent / "new").write_text("new", encoding="utf-8")
        (file.parent / "new").replace(file)
        assert process.stdout is not None
        assert process.stdout.readline() == "new\n"


def is_open(status: os.stat_result) -> bool:
    """Return whether any process has the file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.path.samestat(link.stat(), status):
                return True
    return False


def test_the_lock_is_free_when_its_holder_is_killed(file: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from dce_play.system.lock.file_lock import flock_file\n"
        "with flock_file(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    with running(python(script, file), until="held") as holder:
        assert flock_says(file) == 9
        holder.kill()
        assert eventually(lambda: flock_says(file) == 0)


@pytest.mark.strace
@pytest.mark.contract("R-5.10")
@pytest.mark.parametrize("error", ["ENOSYS", "EOPNOTSUPP", "ENOLCK"])
def test_a_file_system_without_flock_is_refused(file: Path, error: str) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from dce_play.system.lock.file_lock import FlockUnsupported, flock_file\n"
        "try: flock_file(Path(sys.argv[1])).__enter__()\n"
        "except FlockUnsupported as refused: print(refused, refused.exit_code, refused.hint)"
    )
    argv = ["strace", "-qq", "-o", "/dev/null", "-e", f"inject=flock:error={error}", *python(script, file)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert said.startswith(f"the file system of {file} cannot lock files 4 ")
    assert "put the lock file on a local disk" in said


def test_looking_whether_a_file_is_locked_sees_flock_and_keeps_nobody_out(file: Path) -> None:
    assert not is_locked(file)
    assert not is_locked(file.with_name("gone"))
    with running(["flock", file, "sh", "-c", "echo held; sleep 600"], until="held"):
        assert is_locked(file)
    assert eventually(lambda: not is_locked(file))
    with flock_file(file):
        assert is_locked(file)
    assert flock_says(file) == 0


def test_a_lock_is_looked_at_often_while_it_is_waited_for(file: Path) -> None:
    clock = FakeClock()
    with flock_file(file), pytest.raises(FileBusy), flock_file(file, wait_s=20.0, clock=clock):
        pass
    assert clock.sleeps == sorted(clock.sleeps)
    assert max(clock.sleeps) == LONGEST_PAUSE_S
    assert sum(clock.sleeps) < 20.0 + LONGEST_PAUSE_S
