"""The lock where somebody removed it, replaced it, put something else there, or reached the archive another way."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dce_play.discord.lock.archive_lock import archive_lock
from dce_play.discord.lock.places import SCRAPE_WORDS, guarding_root
from dce_play.errors import ExitCode
from dce_play.system.clock import utc_stamp
from dce_play.system.lock.held import LockHeld
from dce_play.system.lock.note import LockUnusable, encode_meta, meta_path, own_meta, read_meta
from dce_play.system.lock.reclaim import reclaim
from dce_play.system.lock.status import Verdict, lock_status
from tests.support.channel_files import ids_in, write_channel
from tests.support.command_line import Terminal
from tests.support.fakes import FakeClock
from tests.support.processes import python, running

HOLD = """
import sys, time
from pathlib import Path
from dce_play.discord.lock.archive_lock import archive_lock
with archive_lock(Path(sys.argv[1]), environment={}, command="dce-play run proof").acquire():
    print("held", flush=True)
    time.sleep(600)
"""
OLD_SCRIPT = """
exec 9>"$1"
flock -n 9 || exit 1
printf "pid=%s\\nstarted=%s\\ncmd=old-script\\n" "$$" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" > "$1.meta"
echo held
exec sleep 600 9>&9
"""
PATIENCE_S = 20.0


def lock_file(root: Path) -> Path:
    return root / ".dce-scrape.lock"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(folder=tmp_path)


def remove(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.touch()
    other.rename(path)


def move_away(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.touch()


LOSSES = pytest.mark.parametrize("lose", [remove, replace, move_away])


@pytest.mark.contract("F-K1")
def test_a_link_to_a_folder_on_the_way_leads_to_the_lock_of_what_it_leads_to(
    terminal: Terminal, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    write_channel(root / "lab/c [111].json", [1, 2])
    write_channel(tmp_path / "delta.json", [3])
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer/lab").symlink_to(root / "lab")
    room = tmp_path / "outer/lab/c [111].json"
    lock_file(root).touch()
    assert guarding_root(room) == guarding_root(tmp_path / "outer/lab") == root

    with running(python(HOLD, root), until="held"):
        said = terminal.run("archive", "append", str(room), str(tmp_path / "delta.json"))

    assert said.code == 75, said
    assert ids_in(root / "lab/c [111].json") == [1, 2]
    assert not lock_file(root / "lab").exists()


@LOSSES
@pytest.mark.contract("F-K2")
def test_a_lock_whose_file_is_gone_is_held_while_its_holder_lives(
    terminal: Terminal, tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    with running(python(HOLD, tmp_path), until="held") as holder:
        lose(lock_file(tmp_path))

        with pytest.raises(LockHeld, match="lock file was removed") as held:
            archive_lock(tmp_path, environment={}, command="second").acquire()
        with pytest.raises(LockHeld):
            reclaim(lock_file(tmp_path), force=True, words=SCRAPE_WORDS)
        shown = terminal.run("lock", "status", "--root", str(tmp_path), "--format", "json")

        assert held.value.exit_code == ExitCode.LOCKED
        assert f"stop: kill {holder.pid}" in held.value.hint
        assert shown.code == 1
        assert "its lock file was removed" in json.loads(shown.out)["state"]
        assert [each["pid"] for each in json.loads(shown.out)["holders"]] == [holder.pid]

    archive_lock(tmp_path, environment={}, command="third").acquire(wait_s=PATIENCE_S).release()


@pytest.mark.contract("F-K2")
def test_an_old_script_whose_lock_file_is_gone_holds_it_too(tmp_path: Path) -> None:
    lock = lock_file(tmp_path)
    with running(["bash", "-c", OLD_SCRIPT, "old-script", lock], until="held"):
        lock.unlink()

        assert lock_status(lock).verdict is Verdict.HELD
        with pytest.raises(LockHeld, match="lock file was removed"):
            archive_lock(tmp_path, environment={}, command="second").acquire()


@pytest.mark.contract("F-K2")
def test_who_waits_for_a_lock_without_its_file_gets_it_when_the_holder_ends(tmp_path: Path) -> None:
    with running(python(HOLD, tmp_path), until="held") as holder:
        lock_file(tmp_path).unlink()
        told: list[str] = []

        def end_it(held: LockHeld) -> None:
            told.append(str(held))
            holder.kill()

        archive_lock(tmp_path, environment={}, command="second").acquire(wait_s=PATIENCE_S, on_blocked=end_it).release()
    assert "lock file was removed" in told[0]


@pytest.mark.contract("F-K2")
def test_a_dead_holder_without_a_lock_file_keeps_nobody_out(tmp_path: Path) -> None:
    with running(python(HOLD, tmp_path), until="held") as holder:
        holder.kill()
        holder.wait()
    lock_file(tmp_path).unlink()

    assert lock_status(lock_file(tmp_path)).verdict is Verdict.FREE
    archive_lock(tmp_path, environment={}, command="second").acquire().release()


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a device")
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero, which never ends


def link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def unix_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path has 107 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


@pytest.fixture(params=["lock", "note"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    lock = lock_file(tmp_path / "root")
    if request.param == "note":
        lock.touch()
    return lock if request.param == "lock" else meta_path(lock)


@pytest.mark.parametrize("put", [fifo, folder, device, link, unix_socket])
@pytest.mark.contract("F-K3")
def test_what_is_no_regular_file_is_refused_alike_and_at_once(
    terminal: Terminal, tmp_path: Path, place: Path, put: Callable[[Path], None]
) -> None:
    put(place)
    root = tmp_path / "root"
    lock = lock_file(root)
    write_channel(root / "c [111].json", [1])
    write_channel(tmp_path / "delta.json", [2])
    acts: list[Callable[[], object]] = [
        lambda: lock_status(lock),
        lambda: reclaim(lock),
        lambda: reclaim(lock, force=True),
        lambda: archive_lock(root, environment={}, command="second").acquire(),
    ]
    began = time.monotonic()
    for act in acts:
        with pytest.raises(LockUnusable, match="not a regular file") as refused:
            act()
        assert refused.value.path == place
    assert time.monotonic() - began < 5.0

    codes = {
        words[1]: terminal.run(*words).code
        for words in (
            ("lock", "status", "--root", str(root)),
            ("lock", "reclaim", "--root", str(root)),
            ("lock", "force-unlock", "--yes", "--root", str(root)),
            ("archive", "append", str(root / "c [111].json"), str(tmp_path / "delta.json"), "--root", str(root)),
        )
    }
    assert codes == {"status": 2, "reclaim": 2, "force-unlock": 2, "append": ExitCode.PREFLIGHT}
    assert ids_in(root / "c [111].json") == [1]


TURNS = """
import sys, time
from pathlib import Path
from dce_play.discord.lock.archive_lock import archive_lock
end = time.monotonic() + float(sys.argv[2])
print("on", flush=True)
while time.monotonic() < end:
    with archive_lock(Path(sys.argv[1]), environment={}, command="turn").acquire(wait_s=60.0):
        time.sleep(0.002)
    time.sleep(0.001)
"""


@pytest.mark.contract("F-K4")
def test_a_lock_that_changes_hands_is_never_told_as_suspect(tmp_path: Path) -> None:
    told = set()
    looks = 0
    end = time.monotonic() + 3.0
    with running(python(TURNS, tmp_path, 3.0), until="on"), running(python(TURNS, tmp_path, 3.0), until="on"):
        while time.monotonic() < end:
            told.add(lock_status(lock_file(tmp_path)).verdict)
            looks += 1
    assert told <= {Verdict.HELD, Verdict.FREE}
    assert looks > 5


@pytest.mark.contract("F-K4")
def test_a_living_writer_that_really_holds_nothing_is_still_told(tmp_path: Path) -> None:
    clock = FakeClock()
    lock_file(tmp_path).touch()
    meta_path(lock_file(tmp_path)).write_bytes(encode_meta(own_meta(cmd="me", run_id="", now=clock.now())))

    assert lock_status(lock_file(tmp_path)).verdict is Verdict.SUSPECT


@pytest.mark.contract("F-K5")
def test_the_note_tells_when_the_work_last_got_on(tmp_path: Path) -> None:
    clock = FakeClock()
    with archive_lock(tmp_path, environment={}, command="me", clock=clock).acquire() as lock:
        clock.advance(3600.0)
        lock.progressed()
        noted = read_meta(lock_file(tmp_path))
        assert noted is not None
        assert noted.progress == utc_stamp(clock.now())
        clock.advance(70.0)
        with pytest.raises(LockHeld) as held:
            archive_lock(tmp_path, environment={}, command="second", clock=clock).acquire()
    assert "for 1 h 1 min, last progress 1 min ago" in held.value.hint


@pytest.mark.contract("F-K5")
def test_progress_is_written_now_and_then_and_not_at_every_message(tmp_path: Path) -> None:
    clock = FakeClock()
    with archive_lock(tmp_path, environment={}, command="me", clock=clock).acquire() as lock:
        lock.progressed()
        first = meta_path(lock_file(tmp_path)).stat().st_ino
        for _ in range(100):
            lock.progressed()
        assert meta_path(lock_file(tmp_path)).stat().st_ino == first
        clock.advance(6.0)
        lock.progressed()
        assert meta_path(lock_file(tmp_path)).stat().st_mtime_ns > 0
        noted = read_meta(lock_file(tmp_path))
    assert noted is not None
    assert noted.progress == utc_stamp(clock.now())


APPENDS = """
import subprocess, sys
codes = []
for delta in sys.argv[2:]:
    argv = [sys.executable, "-m", "dce_play", "archive", "append", sys.argv[1], delta, "--lock-wait", "60s"]
    while (code := subprocess.run(argv, capture_output=True).returncode) == 75:
        pass  # somebody holds it, or has taken the lock's file away
    codes.append(code)
sys.exit(any(codes))
"""


@pytest.mark.contract("F-K1", "F-K2")
def test_appends_from_everywhere_through_links_lose_nothing(terminal: Terminal, tmp_path: Path) -> None:
    append_from_everywhere(terminal, tmp_path, workers=4, each=3)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.contract("F-K1", "F-K2")
def test_fifteen_hundred_appends_lose_nothing_while_the_locks_file_is_taken_away(
    terminal: Terminal, tmp_path: Path
) -> None:
    append_from_everywhere(terminal, tmp_path, workers=15, each=100, sabotage=True)


def append_from_everywhere(
    terminal: Terminal, tmp_path: Path, *, workers: int, each: int, sabotage: bool = False
) -> None:
    """Append to one channel by its name, a linked folder and a linked file, in a root whose lock is new.

    With ``sabotage`` the lock's file is removed or replaced all the while.
    """
    root = tmp_path / "root"
    room = root / "lab/c [111].json"
    write_channel(room, [1])
    lock_file(root).touch()
    (tmp_path / "by-folder").symlink_to(root / "lab")
    (tmp_path / "c [111].json").symlink_to(room)
    ways = [room, tmp_path / "by-folder" / room.name, tmp_path / room.name]
    deltas = [tmp_path / f"delta-{number}.json" for number in range(workers * each)]
    for number, delta in enumerate(deltas):
        write_channel(delta, [number + 2])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDS, str(ways[at % len(ways)]), *map(str, deltas[at::workers])],
            env=terminal.environment,
        )
        for at in range(workers)
    ]
    removed = 0
    while sabotage and any(worker.poll() is None for worker in started):
        if removed % 2:
            lock_file(root).unlink(missing_ok=True)
        else:
            replace(lock_file(root))
        removed += 1
        time.sleep(0.3)
    assert [worker.wait(300.0) for worker in started] == [0] * workers
    assert ids_in(room) == list(range(1, len(deltas) + 2))
    assert lock_status(lock_file(root)).verdict is Verdict.FREE
    print(f"\n{len(deltas)} appends, none lost; the lock's file was taken away {removed} times")


SABOTAGED_TURNS = """
import sys
from pathlib import Path
from dce_play.discord.lock.archive_lock import archive_lock
root, turns = Path(sys.argv[1]), int(sys.argv[2])
counter, inside = root / "counter", root / "inside"
for _ in range(turns):
    with archive_lock(root, environment={}, command="turn").acquire(wait_s=120.0) as lock:
        inside.touch(exist_ok=False)
        counter.write_text(str(int(counter.read_text()) + 1))
        lock.update_step("turn")
        inside.unlink()
"""


@pytest.mark.contract("F-K2")
@pytest.mark.parametrize("workers", [pytest.param(3), pytest.param(24, marks=pytest.mark.soak)])
def test_nobody_gets_in_beside_another_while_the_lock_file_is_removed_again_and_again(
    tmp_path: Path, workers: int
) -> None:
    (tmp_path / "counter").write_text("0", encoding="ascii")
    turns = 12
    started = [subprocess.Popen(python(SABOTAGED_TURNS, tmp_path, turns)) for _ in range(workers)]
    removed = 0
    end = time.monotonic() + 240.0
    while any(worker.poll() is None for worker in started) and time.monotonic() < end:
        if removed % 2:
            lock_file(tmp_path).unlink(missing_ok=True)
        else:
            replace(lock_file(tmp_path))
        removed += 1
        time.sleep(0.01)
    assert [worker.wait(60.0) for worker in started] == [0] * workers
    assert (tmp_path / "counter").read_text(encoding="ascii") == str(workers * turns)
    assert removed > 20
