"""The archive root's lock: two writers never at once, whatever dies and whoever started them."""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from dce_play.discord.lock.archive_lock import SkippedLock, archive_lock
from dce_play.discord.lock.places import guarding_root
from dce_play.errors import ExitCode
from dce_play.system.lock.held import LockHeld
from dce_play.system.lock.held_lock import ContainerStillWrites, HeldLock
from dce_play.system.lock.note import LockMeta, LockUnusable, decode_meta, encode_meta, meta_path, read_meta
from dce_play.system.lock.status import Verdict, lock_status
from dce_play.system.process.executor import Command, LocalExecutor
from dce_play.system.redact import Masker
from tests.support.bounds import at_most
from tests.support.fakes import FakeClock
from tests.support.processes import as_nobody, eventually, lives, python, running

HOLD = """
import sys, time
from pathlib import Path
from dce_play.discord.lock.archive_lock import archive_lock
with archive_lock(Path(sys.argv[1]), environment={}, command="dce-play run proof", run_id="r1").acquire() as lock:
    lock.update_step("scrape.run")
    print("held", flush=True)
    time.sleep(600)
"""
HOLD_WITH_CHILD = """
import os, subprocess, sys, time
from pathlib import Path
from dce_play.discord.lock.archive_lock import archive_lock
lock = archive_lock(Path(sys.argv[1]), environment={}, command="dce-play run proof").acquire()
child = subprocess.Popen(["sleep", "600"], pass_fds=lock.fds, start_new_session=True)
Path(sys.argv[1], "child").write_text(str(child.pid))
print("held", flush=True)
if sys.argv[2] == "release":
    lock.release()
    print("released", flush=True)
time.sleep(600)
"""


def lock_of(root: Path, **options: object) -> HeldLock:
    made = archive_lock(root, environment={}, command="pytest", **options)  # type: ignore[arg-type]  # a test's own
    assert isinstance(made, HeldLock)
    return made


def lock_file(root: Path) -> Path:
    return root / ".dce-scrape.lock"


def flock_gets(root: Path) -> bool:
    return subprocess.run(["flock", "-n", "-E", "9", lock_file(root), "true"], check=False).returncode == 0


@pytest.fixture
def shared() -> Iterator[Path]:
    """Return a folder that every user can write; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.contract("R-5.02", "R-5.10", "L-01", "L-02", "L-03")
def test_flock_and_we_keep_each_other_out_both_ways(tmp_path: Path) -> None:
    with lock_of(tmp_path).acquire():
        assert not flock_gets(tmp_path)
    assert flock_gets(tmp_path)
    with running(["flock", lock_file(tmp_path), "sh", "-c", "echo held; sleep 600"], until="held"):
        with pytest.raises(LockHeld) as held:
            lock_of(tmp_path).acquire()
        assert f"Another scrape is already running (lock: {lock_file(tmp_path)})" in str(held.value)
    assert eventually(lambda: flock_gets(tmp_path))
    lock_of(tmp_path).acquire().release()


@pytest.mark.contract("R-5.02", "R-19.03", "L-01", "L-03")
def test_the_same_root_through_a_link_is_the_same_lock(tmp_path: Path) -> None:
    root, link = tmp_path / "root", tmp_path / "link"
    root.mkdir()
    link.symlink_to(root)
    with running(python(HOLD, root), until="held") as holder, pytest.raises(LockHeld) as held:
        lock_of(link).acquire()
    error = held.value
    assert error.exit_code == ExitCode.LOCKED
    assert f"Holder pid {holder.pid} (running, started 20" in str(error)
    assert str(error).endswith("): dce-play run proof")
    for fact in (f"who: pid {holder.pid}", "at step scrape.run", "wait: ", "look: ", f"stop: kill {holder.pid}"):
        assert fact in error.hint


@pytest.mark.contract("R-5.05", "R-11.08")
def test_the_note_tells_who_and_what_and_goes_with_the_lock(tmp_path: Path) -> None:
    with lock_of(tmp_path, run_id="r7").acquire() as lock:
        lock.update_step("archive.append")
        text = meta_path(lock_file(tmp_path)).read_text(encoding="utf-8")
    lines = text.splitlines()
    assert [line.partition("=")[0] for line in lines] == [
        *("pid", "started", "cmd", "host", "boot_id", "pid_start", "pidns", "user", "lock_id", "run_id", "step"),
        *("progress", "lock_file"),
    ]
    assert lines[0] == f"pid={os.getpid()}"
    assert {"cmd=pytest", "run_id=r7", "step=archive.append", f"host={os.uname().nodename}"} <= set(lines)
    assert not meta_path(lock_file(tmp_path)).exists()


@pytest.mark.contract("R-5.04")
def test_the_lock_file_is_never_removed(tmp_path: Path) -> None:
    with lock_of(tmp_path).acquire():
        before = lock_file(tmp_path).stat().st_ino
    with lock_of(tmp_path).acquire():
        assert lock_file(tmp_path).stat().st_ino == before
    assert lock_file(tmp_path).stat().st_ino == before


@pytest.mark.contract("R-5.06", "L-06")
def test_a_killed_holder_frees_the_lock_and_its_note_is_reclaimed_with_a_warning(tmp_path: Path) -> None:
    said: list[str] = []
    with running(python(HOLD, tmp_path), until="held") as holder:
        holder.kill()
        holder.wait()
    assert lock_status(lock_file(tmp_path)).verdict is Verdict.STALE
    with lock_of(tmp_path, warn=said.append).acquire():
        assert said == [f"WARN: reclaiming scrape lock; previous holder pid {holder.pid} is not running."]
        meta = read_meta(lock_file(tmp_path))
        assert meta is not None
        assert meta.pid == os.getpid()


@pytest.mark.contract("R-5.11")
def test_the_lock_outlives_a_killed_parent_while_its_child_writes(tmp_path: Path) -> None:
    with running(python(HOLD_WITH_CHILD, tmp_path, "hold"), until="held") as parent:
        parent.kill()
        parent.wait()
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    try:
        with pytest.raises(LockHeld) as held:
            lock_of(tmp_path).acquire()
        assert f"Holder pid {parent.pid} (not running" in str(held.value)
        assert f"also held by: pid {child}, sleep 600" in held.value.hint
        assert f"stop: kill {child}" in held.value.hint
    finally:
        os.kill(child, signal.SIGKILL)
    assert eventually(lambda: not lives(child) and flock_gets(tmp_path))


@pytest.mark.contract("R-5.11")
def test_letting_go_does_not_unlock_under_a_living_child(tmp_path: Path) -> None:
    with running(python(HOLD_WITH_CHILD, tmp_path, "release"), until="held") as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "released\n"
        child = int((tmp_path / "child").read_text(encoding="utf-8"))
        try:
            assert not flock_gets(tmp_path)
            assert [holder.pid for holder in lock_status(lock_file(tmp_path)).holders] == [child]
        finally:
            os.kill(child, signal.SIGKILL)
        assert eventually(lambda: flock_gets(tmp_path))


@pytest.mark.contract("R-5.11")
def test_a_process_that_ends_while_its_child_writes_leaves_the_lock_to_it(tmp_path: Path) -> None:
    script = HOLD_WITH_CHILD.replace("time.sleep(600)", "sys.exit(0)")
    subprocess.run(python(script, tmp_path, "hold"), check=True, stdout=subprocess.DEVNULL)
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    try:
        assert not flock_gets(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.contract("R-5.11")
def test_programs_inherit_the_lock_only_when_told_to(tmp_path: Path) -> None:
    executor = LocalExecutor(os.environ, Masker())
    with lock_of(tmp_path).acquire() as lock:
        inode = str(lock_file(tmp_path).stat().st_ino)
        argv = ("sh", "-c", "ls -iL /proc/self/fd/ 2>&1")
        without = executor.run(Command(argv=argv, timeout_s=20.0)).stdout
        told = executor.run(Command(argv=argv, timeout_s=20.0, pass_fds=lock.fds)).stdout
    assert inode not in without
    assert inode in told


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs uid 0")
@pytest.mark.contract("R-5.15")
def test_a_holder_of_another_user_is_alive_and_keeps_us_out(shared: Path) -> None:
    ask = (
        "import sys; from pathlib import Path; from dce_play.discord.lock.archive_lock import archive_lock\n"
        "from dce_play.errors import DcePlayError\n---\n"
        "try: archive_lock(Path(sys.argv[1]), environment={}, command='me').acquire()\n"
        "except DcePlayError as error: print(error)"
    )
    with running(python(HOLD, shared), until="held") as holder:
        said = subprocess.run(as_nobody(ask, shared), check=True, capture_output=True, text=True).stdout
    assert f"Holder pid {holder.pid} (running, started" in said


@pytest.mark.contract("R-5.13")
def test_waiting_is_told_once_and_ends_with_the_lock(tmp_path: Path) -> None:
    told: list[LockHeld] = []
    with running(python(HOLD, tmp_path), until="held") as holder:
        waiter = lock_of(tmp_path)
        threading.Timer(0.5, holder.kill).start()
        with waiter.acquire(wait_s=30.0, on_blocked=told.append):
            assert not flock_gets(tmp_path)
    assert [f"Holder pid {holder.pid}" in str(held) for held in told] == [True]


@pytest.mark.contract("R-5.13")
def test_waiting_stops_when_the_run_is_cancelled(tmp_path: Path) -> None:
    with lock_of(tmp_path).acquire(), pytest.raises(LockHeld):
        lock_of(tmp_path).acquire(wait_s=600.0, cancelled=lambda: True)


@pytest.mark.contract("R-5.12")
def test_skipping_the_lock_warns_every_time_and_locks_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    environment = {"DCE_SKIP_SCRAPE_LOCK": "1"}
    for _ in range(2):
        skipped = archive_lock(tmp_path, environment=environment, command="me", warn=said.append)
        assert isinstance(skipped, SkippedLock)
        with skipped.acquire(wait_s=1.0) as lock:
            lock.update_step("x")
            with lock.note_container("podman:1"):
                pass
            assert lock.fds == ()
    assert [line.startswith("WARN: DCE_SKIP_SCRAPE_LOCK=1") for line in said] == [True, True]
    assert not list(tmp_path.iterdir())


@pytest.mark.contract("R-5.01")
def test_the_environment_can_name_another_lock_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "my.lock"
    with archive_lock(tmp_path, environment={"DCE_SCRAPE_LOCK_FILE": str(path)}, command="me").acquire():
        assert lock_status(path).verdict is Verdict.HELD
    assert not lock_file(tmp_path).exists()


@pytest.mark.contract("R-5.01")
def test_the_outermost_lock_else_the_nearest_records_else_its_own_folder_guard_a_path(tmp_path: Path) -> None:
    root = tmp_path / "root"
    inner = root / "target"
    (inner / ".dce-meta").mkdir(parents=True)
    deep = inner / "a" / "b.json"
    deep.parent.mkdir()
    deep.touch()
    assert guarding_root(deep) == inner
    lock_file(inner).touch()
    lock_file(root).touch()
    assert guarding_root(deep) == guarding_root(inner) == root
    for each in (inner, root):
        lock_file(each).unlink()
    (inner / ".dce-meta").rmdir()
    assert guarding_root(deep) == deep.parent


def test_a_lock_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    lock_file(tmp_path).symlink_to(victim)
    with pytest.raises(LockUnusable, match="symbolic link"):
        lock_of(tmp_path).acquire()


def test_a_root_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LockUnusable, match="cannot lock"):
        lock_of(tmp_path / "file" / "root").acquire()


@pytest.mark.parametrize(("runs", "told"), [(True, "is still running"), (None, "podman does not answer")])
def test_a_container_left_by_a_dead_run_keeps_us_out(tmp_path: Path, runs: bool | None, told: str) -> None:
    dead = LockMeta(pid=99999999, containers=("podman:c0ffee",))
    meta_path(lock_file(tmp_path)).write_bytes(encode_meta(dead))
    with pytest.raises(ContainerStillWrites, match=told) as refused:
        lock_of(tmp_path, runs=lambda _: runs).acquire()
    assert "podman stop c0ffee" in refused.value.hint
    assert flock_gets(tmp_path)
    lock_of(tmp_path, runs=lambda _: False).acquire().release()


@pytest.mark.contract("R-13.09")
def test_containers_are_in_the_note_for_as_long_as_they_may_write(tmp_path: Path) -> None:
    def noted() -> tuple[str, ...]:
        meta = read_meta(lock_file(tmp_path))
        assert meta is not None
        return meta.containers

    with lock_of(tmp_path).acquire() as lock:
        with lock.note_container("podman:beef"):
            with suppress(ZeroDivisionError), lock.note_container("podman:cafe"):
                assert noted() == ("podman:beef", "podman:cafe")
                raise ZeroDivisionError
            assert noted() == ("podman:beef",)
        assert noted() == ()


def test_many_threads_note_containers_and_none_is_lost(tmp_path: Path) -> None:
    count = 8
    all_in = threading.Barrier(count)
    seen: list[int] = []

    def work(number: int) -> None:
        with lock.note_container(f"podman:{number}"):
            all_in.wait(30.0)
            meta = read_meta(lock_file(tmp_path))
            seen.append(len(meta.containers) if meta else 0)
            all_in.wait(30.0)

    with lock_of(tmp_path).acquire() as lock, ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))
    assert seen == [count] * count


def test_temporaries_of_killed_writers_of_the_note_are_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = ["..dce-scrape.lock.meta.0123.tmp", "..other.meta.01234567.tmp", "..dce-scrape.lock.meta.0123456g.tmp"]
    for name in (*kept, "..dce-scrape.lock.meta.01234567.tmp"):
        (tmp_path / name).touch()
    with lock_of(tmp_path).acquire():
        names = {path.name for path in tmp_path.iterdir()}
    assert names == {*kept, ".dce-scrape.lock", ".dce-scrape.lock.meta"}


def test_who_does_not_get_the_lock_removes_no_temporary(tmp_path: Path) -> None:
    with lock_of(tmp_path).acquire():
        left = tmp_path / "..dce-scrape.lock.meta.01234567.tmp"
        left.touch()
        with pytest.raises(LockHeld):
            lock_of(tmp_path).acquire()
    assert left.exists()


def test_the_note_of_another_is_not_removed_on_release(tmp_path: Path) -> None:
    theirs = encode_meta(LockMeta(pid=1, lock_id="theirs"))
    with lock_of(tmp_path).acquire():
        meta_path(lock_file(tmp_path)).write_bytes(theirs)
    assert meta_path(lock_file(tmp_path)).read_bytes() == theirs


def test_a_note_that_cannot_be_written_lets_the_lock_go(tmp_path: Path) -> None:
    meta_path(lock_file(tmp_path)).mkdir()
    with pytest.raises(LockUnusable):
        lock_of(tmp_path).acquire()
    assert flock_gets(tmp_path)


def test_readers_of_the_note_never_see_a_torn_one(tmp_path: Path) -> None:
    path = lock_file(tmp_path)
    stop = threading.Event()
    torn: list[bytes] = []

    def read() -> None:
        while not stop.is_set():
            data = meta_path(path).read_bytes()
            if decode_meta(data) is None or not data.endswith(b"\n") or b"\nstep=" not in data:
                torn.append(data)

    with lock_of(tmp_path).acquire() as lock:
        reader = threading.Thread(target=read)
        reader.start()
        for number in range(300):
            lock.update_step("x" * number)
        stop.set()
        reader.join()
    assert not torn


TURNS = """
import sys
from pathlib import Path
from dce_play.discord.lock.archive_lock import archive_lock
root, turns = Path(sys.argv[1]), int(sys.argv[2])
counter, inside = root / "counter", root / "inside"
for _ in range(turns):
    with archive_lock(root, environment={}, command="turn").acquire(wait_s=600.0):
        inside.touch(exist_ok=False)
        counter.write_text(str(int(counter.read_text()) + 1))
        inside.unlink()
"""


def take_turns(root: Path, *, processes: int, turns: int) -> None:
    (root / "counter").write_text("0", encoding="ascii")
    workers = [subprocess.Popen(python(TURNS, root, turns)) for _ in range(processes)]
    assert [worker.wait() for worker in workers] == [0] * processes
    assert (root / "counter").read_text(encoding="ascii") == str(processes * turns)
    assert not (root / "inside").exists()
    assert lock_status(lock_file(root)).verdict is Verdict.FREE


@pytest.mark.contract("R-5.02", "R-5.04")
def test_a_few_processes_take_turns(tmp_path: Path) -> None:
    take_turns(tmp_path, processes=4, turns=20)


@pytest.mark.soak
@pytest.mark.contract("R-5.02", "R-5.04")
def test_fifty_processes_take_two_hundred_turns_each(tmp_path: Path) -> None:
    take_turns(tmp_path, processes=50, turns=200)


@pytest.mark.contract("R-5.14")
def test_looking_at_full_speed_never_makes_an_acquisition_fail(tmp_path: Path) -> None:
    look = (
        "import sys; from pathlib import Path; from dce_play.system.lock.status import lock_status\n"
        "print('looking', flush=True)\n"
        "while True: lock_status(Path(sys.argv[1]))"
    )
    with (
        running(python(look, lock_file(tmp_path)), until="looking"),
        running(python(look, lock_file(tmp_path)), until="looking"),
    ):
        for _ in range(300):
            lock_of(tmp_path).acquire().release()


class Removing(FakeClock):
    """Whenever the time is asked for, which is while a note is written, the lock's file is removed: so many times."""

    def __init__(self, lock: Path, times: int) -> None:
        super().__init__()
        self._lock_file = lock
        self.left = times

    def now(self) -> datetime:
        if self.left > 0:
            self.left -= 1
            self._lock_file.unlink()
        return super().now()


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_lock_file_that_vanishes_is_made_anew_so_often(tmp_path: Path, beyond: int) -> None:
    tries = at_most("system.lock.held_lock:_TRIES")
    clock = Removing(tmp_path / "lock", tries - 1 + beyond)
    lock = HeldLock(tmp_path / "lock", command="pytest", clock=clock)
    if beyond:
        with pytest.raises(LockHeld) as held:
            lock.acquire()
        assert held.value.exit_code == ExitCode.LOCKED
        assert not meta_path(tmp_path / "lock").exists()
    else:
        with lock.acquire():
            assert lock_status(tmp_path / "lock").verdict is Verdict.HELD
    assert clock.left == 0
