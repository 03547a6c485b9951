"""What a look tells: every row of the table, real processes and namespaces."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dce_play.discord.lock.archive_lock import archive_lock
from dce_play.discord.lock.places import SCRAPE_WORDS
from dce_play.system import proc
from dce_play.system.clock import utc_stamp
from dce_play.system.lock.note import LockMeta, encode_meta, meta_path, own_meta
from dce_play.system.lock.status import LockStatus, Verdict, lock_status
from tests.support.processes import as_nobody, eventually, python, running

GONE = 99_999_999
"""Greater than any pid."""


@pytest.fixture
def sleeper() -> Iterator[int]:
    with running(["sh", "-c", "echo up; exec sleep 600"], until="up") as process:
        yield process.pid


def note(lock: Path, **facts: object) -> LockStatus:
    here = own_meta(cmd="dce-play run proof", run_id="r", now=datetime.now(UTC))
    values = {name: getattr(here, name) for name in LockMeta.__slots__} | facts
    meta_path(lock).write_bytes(encode_meta(LockMeta(**values)))
    return lock_status(lock)


def old_note(lock: Path, *, pid: int, started: datetime) -> LockStatus:
    text = f"pid={pid}\nstarted={utc_stamp(started)}\ncmd=./scrape.sh\n"
    meta_path(lock).write_text(text, encoding="utf-8")
    return lock_status(lock)


@pytest.mark.contract("R-5.08", "L-04")
def test_no_lock_file_is_free_and_none_is_made(tmp_path: Path) -> None:
    seen = lock_status(tmp_path / "x.lock")
    assert (seen.verdict, seen.state) == (Verdict.FREE, "free (no lock file)")
    assert not list(tmp_path.iterdir())


@pytest.mark.contract("R-5.08")
def test_a_lock_file_that_nobody_holds_is_free(lock: Path) -> None:
    assert lock_status(lock).state == "free (lock file present but not held)"


@pytest.mark.contract("R-5.08", "L-05")
def test_held_by_us_names_us(lock: Path) -> None:
    with archive_lock(lock.parent, environment={}, command="pytest").acquire():
        seen = lock_status(lock, words=SCRAPE_WORDS)
    assert (seen.verdict, seen.state) == (Verdict.HELD, "held (active scrape)")
    assert [holder.pid for holder in seen.holders] == [os.getpid()]


@pytest.mark.contract("R-5.08", "L-05")
def test_held_by_another_program_names_the_real_holder_and_not_the_notes(lock: Path) -> None:
    with running(["flock", lock, "sh", "-c", "echo held; sleep 600"], until="held") as holder:
        seen = note(lock, pid=GONE)
    assert seen.verdict is Verdict.HELD
    assert holder.pid in [found.pid for found in seen.holders]
    assert seen.meta is not None
    assert not seen.reclaimable


def test_a_program_that_only_has_the_file_open_or_waits_for_it_holds_nothing(lock: Path) -> None:
    with (
        running(["flock", lock, "sh", "-c", "echo held; sleep 600"], until="held"),
        running(["sh", "-c", f"exec 9<'{lock}'; echo up; exec sleep 600"], until="up") as opener,
        running(["flock", lock, "true"]) as waiter,
    ):
        assert eventually(lambda: "->" in Path("/proc/locks").read_text(encoding="ascii"))
        pids = [holder.pid for holder in lock_status(lock).holders]
    assert opener.pid not in pids
    assert waiter.pid not in pids


@pytest.mark.contract("R-5.08", "L-06")
def test_a_dead_pid_is_stale(lock: Path) -> None:
    seen = note(lock, pid=GONE)
    assert (seen.verdict, seen.state) == (Verdict.STALE, f"stale (reclaimable; holder pid {GONE} is not running)")
    assert seen.reclaimable


@pytest.mark.contract("R-5.07", "D-15")
def test_a_reused_pid_is_stale(lock: Path, sleeper: int) -> None:
    ticks = proc.start_ticks(sleeper)
    assert ticks is not None
    assert note(lock, pid=sleeper, pid_start=ticks - 1).state.startswith("stale (reclaimable; pid")
    assert note(lock, pid=sleeper, pid_start=ticks).verdict is Verdict.SUSPECT


def test_another_boot_is_stale_whatever_the_pid(lock: Path) -> None:
    seen = note(lock, boot_id="another")
    assert (seen.verdict, seen.reclaimable) == (Verdict.STALE, True)
    assert "rebooted" in seen.state


def test_another_host_is_foreign_and_stays(lock: Path) -> None:
    seen = note(lock, boot_id="another", host="elsewhere")
    assert (seen.verdict, seen.reclaimable) == (Verdict.FOREIGN, False)
    assert "elsewhere" in seen.state


def test_another_pid_namespace_is_unknown_and_stays(lock: Path) -> None:
    seen = note(lock, pidns="pid:[1]", pid=GONE)
    assert (seen.verdict, seen.reclaimable) == (Verdict.UNKNOWN, False)


def test_a_living_process_that_holds_nothing_is_suspect(lock: Path) -> None:
    seen = note(lock)
    assert (seen.verdict, seen.reclaimable) == (Verdict.SUSPECT, False)
    assert seen.state == f"suspect (pid {os.getpid()} is running but holds nothing)"


@pytest.mark.contract("R-5.07", "D-15")
def test_an_old_note_is_judged_by_when_the_process_started(lock: Path, sleeper: int) -> None:
    now = datetime.now(UTC)
    assert old_note(lock, pid=GONE, started=now).verdict is Verdict.STALE
    assert old_note(lock, pid=sleeper, started=now - timedelta(minutes=5)).verdict is Verdict.STALE
    assert old_note(lock, pid=sleeper, started=now + timedelta(minutes=5)).verdict is Verdict.SUSPECT


def test_an_old_note_with_no_time_does_not_make_a_living_process_stale(lock: Path, sleeper: int) -> None:
    meta_path(lock).write_text(f"pid={sleeper}\nstarted=yesterday\ncmd=x\n", encoding="utf-8")
    assert lock_status(lock).verdict is Verdict.SUSPECT


LOOK = (
    "import sys; from pathlib import Path; from dce_play.system.lock.status import lock_status\n---\n"
    "seen = lock_status(Path(sys.argv[1])); print(seen.verdict, seen.reclaimable, seen.meta_verdict, sep='|')"
)


LOOK_PLAIN = LOOK.replace("---\n", "")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs uid 0")
@pytest.mark.contract("R-5.15")
@pytest.mark.parametrize("hidden", [False, True], ids=["shown", "hidden"])
def test_a_process_of_another_user_that_cannot_be_signalled_is_running(hidden: bool) -> None:
    """Also where ``/proc`` does not show other users' processes at all."""
    mount = "mount -t proc -o hidepid=2 proc /proc && " if hidden else ""
    within = ("unshare", "-m", "sh", "-c", mount + 'exec "$@"', "sh")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        open_lock = Path(name, "lock")
        open_lock.touch()
        note(open_lock)  # this process, as seen by another user
        said = subprocess.run([*within, *as_nobody(LOOK, open_lock)], check=True, capture_output=True, text=True).stdout
    assert said.strip() == "suspect|False|suspect"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs uid 0")
def test_from_another_pid_namespace_nothing_is_falsely_free(lock: Path) -> None:
    inside = ["unshare", "-pf", "--mount-proc", *python(LOOK_PLAIN, lock)]
    with archive_lock(lock.parent, environment={}, command="outside").acquire():
        said = subprocess.run(inside, check=True, capture_output=True, text=True).stdout
    assert said.strip() == "unknown|False|unknown"
    with running(["flock", lock, "sh", "-c", "echo held; sleep 600"], until="held"):
        said = subprocess.run(inside, check=True, capture_output=True, text=True).stdout
    assert said.strip() == "unknown|False|free"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs uid 0")
def test_a_holder_in_another_pid_namespace_is_seen_from_outside(lock: Path) -> None:
    hold = (
        "import sys, time; from pathlib import Path; from dce_play.discord.lock.archive_lock import archive_lock\n"
        "with archive_lock(Path(sys.argv[1]), environment={}, command='inside').acquire():\n"
        "    print('held', flush=True); time.sleep(600)"
    )
    with running(["unshare", "-pf", "--mount-proc", *python(hold, lock.parent)], until="held") as holder:
        seen = lock_status(lock)
        assert seen.verdict is Verdict.HELD
        assert seen.meta is not None
        assert seen.meta.pid == 1
        assert 1 not in [found.pid for found in seen.holders]
        holder.kill()
    # the note of a container whose process 1 is gone must not be taken for our own process 1
    assert eventually(lambda: lock_status(lock).verdict is not Verdict.HELD)
    after = lock_status(lock)
    assert (after.verdict, after.reclaimable) == (Verdict.UNKNOWN, False)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs uid 0")
def test_a_holder_in_the_same_inner_namespace_is_found(lock: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from dce_play.discord.lock.archive_lock import archive_lock\n"
        "from dce_play.system.lock.status import lock_status\n"
        "with archive_lock(Path(sys.argv[1]).parent, environment={}, command='inside').acquire():\n"
        "    print(lock_status(Path(sys.argv[1])).verdict)"
    )
    inside = ["unshare", "-pf", "--mount-proc", *python(script, lock)]
    assert subprocess.run(inside, check=True, capture_output=True, text=True).stdout == "held\n"


@pytest.mark.contract("R-5.14")
def test_a_look_opens_no_lock_and_makes_no_file(lock: Path) -> None:
    note(lock, pid=GONE)
    before = {path.name: path.stat().st_mtime_ns for path in lock.parent.iterdir()}
    argv = ["strace", "-f", "-qq", "-e", "trace=flock,openat", "-o", "/dev/stdout", *python(LOOK_PLAIN, lock)]
    calls = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    assert not [call for call in calls if "flock(" in call]
    assert not [call for call in calls if str(lock.parent) in call and ("O_CREAT" in call or f'{lock}"' in call)]
    assert {path.name: path.stat().st_mtime_ns for path in lock.parent.iterdir()} == before
