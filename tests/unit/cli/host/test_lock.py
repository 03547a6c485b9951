"""``dce-play lock``, as a script of the operators' would call it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dce_play.system.lock.note import LockMeta, encode_meta, meta_path
from tests.support import forked
from tests.support.processes import python, running

HOLD = """
import sys, time
from pathlib import Path
from dce_play.discord.lock.archive_lock import archive_lock
with archive_lock(Path(sys.argv[1]), environment={}, command="dce-play run proof").acquire():
    print("held", flush=True)
    time.sleep(600)
"""


def lock(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: os.environ[name] for name in ("PATH",)}
    return forked.run(
        [sys.executable, "-m", "dce_play", "lock", *words],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(Path.cwd()), "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "archive root"
    folder.mkdir()
    return folder


def dead_note(root: Path) -> Path:
    (root / ".dce-scrape.lock").touch()
    note = meta_path(root / ".dce-scrape.lock")
    note.write_bytes(encode_meta(LockMeta(pid=99_999_999, started="2026-01-01T00:00:00Z", cmd="./scrape.sh")))
    return note


@pytest.mark.contract("R-5.08", "L-04")
def test_no_lock_is_exit_0(root: Path) -> None:
    done = lock(root, "status", "--root", ".")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "Scrape lock status",
        "------------------",
        f"lock: {root}/.dce-scrape.lock",
        "state: free (no lock file)",
    ]
    assert not list(root.iterdir())


@pytest.mark.contract("R-5.08", "R-5.14", "L-05")
def test_a_held_lock_is_exit_1_and_names_its_holder(root: Path) -> None:
    with running(python(HOLD, root), until="held") as holder:
        done = lock(root, "status", "--root", str(root))
        again = lock(root, "status", "--root", str(root), "--reclaim-stale")
    assert done.returncode == again.returncode == 1
    assert again.stdout == done.stdout
    assert "state: held (active scrape)\n" in done.stdout
    assert f"holder: pid {holder.pid} (running, started 20" in done.stdout
    assert "cmd: dce-play run proof\n" in done.stdout


@pytest.mark.contract("R-5.08", "L-06")
def test_a_dead_holder_is_exit_0_and_stale(root: Path) -> None:
    note = dead_note(root)
    done = lock(root, "status", "--root", ".")
    assert done.returncode == 0
    assert "state: stale (reclaimable; holder pid 99999999 is not running)\n" in done.stdout
    assert "holder: pid 99999999 (not running, started 2026-01-01T00:00:00Z)\ncmd: ./scrape.sh\n" in done.stdout
    assert note.exists()


@pytest.mark.contract("R-5.04", "R-5.09", "L-07")
def test_reclaiming_removes_the_note_and_keeps_the_lock_file(root: Path) -> None:
    note = dead_note(root)
    done = lock(root, "status", "--root", ".", "--reclaim-stale")
    assert done.returncode == 0
    assert f"removed stale lock meta: {note}\nstate: free (stale lock reclaimed)\n" in done.stdout
    assert not note.exists()
    assert (root / ".dce-scrape.lock").exists()
    again = lock(root, "status", "--root", ".", "--reclaim-stale")
    assert again.returncode == 0
    assert "state: free (orphan lock reclaimed)\n" in again.stdout
    assert (root / ".dce-scrape.lock").exists()


@pytest.mark.contract("R-5.09", "D-16")
def test_a_note_without_a_lock_file_is_cleaned(root: Path) -> None:
    note = dead_note(root)
    (root / ".dce-scrape.lock").unlink()
    done = lock(root, "status", "--root", ".", "--reclaim-stale")
    assert done.returncode == 0
    assert "state: free (no lock file)\n" in done.stdout
    assert not note.exists()


def test_a_living_pid_that_holds_nothing_is_not_reclaimed(root: Path) -> None:
    note = dead_note(root)
    note.write_bytes(encode_meta(LockMeta(pid=os.getpid())))
    done = lock(root, "status", "--root", ".", "--reclaim-stale")
    assert done.returncode == 2
    assert "ERROR: Cannot reclaim: lock holder pid is still running." in done.stderr
    assert note.exists()


@pytest.mark.contract("R-5.07", "D-15")
def test_a_reused_pid_is_reclaimed(root: Path) -> None:
    note = dead_note(root)
    old = LockMeta(pid=os.getpid(), started="2020-01-01T00:00:00Z", cmd="./scrape.sh")
    note.write_bytes(encode_meta(old))
    assert lock(root, "status", "--root", ".", "--reclaim-stale").returncode == 0
    assert not note.exists()


@pytest.mark.contract("R-5.08")
def test_the_json_form_tells_the_same(root: Path) -> None:
    dead_note(root)
    facts = json.loads(lock(root, "status", "--root", ".", "--format", "json").stdout)
    assert facts["verdict"] == "stale"
    assert facts["held"] is False
    assert facts["reclaimable"] is True
    assert facts["meta"]["pid"] == 99_999_999


@pytest.mark.contract("R-5.08")
@pytest.mark.parametrize("words", [("--no-such-option",), ("--config", "missing.yml")])
def test_a_wrong_call_is_exit_2(root: Path, words: tuple[str, ...]) -> None:
    done = lock(root, "status", *words)
    assert done.returncode == 2
    assert "rror" in done.stderr.lower()


@pytest.mark.contract("R-5.01")
def test_the_root_comes_from_the_targets_file(root: Path) -> None:
    config = root / "targets.json"
    target = {"name": "demo", "output_dir": f"{root}/out/demo", "guild_ids": ["100000000000000001"]}
    config.write_text(json.dumps({"archive_root": f"{root}/out", "targets": [target]}), encoding="utf-8")
    done = lock(root, "status", "--config", "targets.json")
    assert done.returncode == 0, done.stderr
    assert f"config: {config}\nlock: {root}/out/.dce-scrape.lock\n" in done.stdout


@pytest.mark.contract("R-5.01")
def test_the_environment_names_the_lock_and_without_anything_it_is_the_folders(root: Path) -> None:
    assert "lock: /x/y.lock\n" in lock(root, "status", "--root", ".", DCE_SCRAPE_LOCK_FILE="/x/y.lock").stdout
    assert f"lock: {root}/.dce-scrape.lock\n" in lock(root, "status").stdout


def test_reclaim_is_a_verb_too(root: Path) -> None:
    note = dead_note(root)
    assert lock(root, "reclaim", "--root", ".").stdout == f"removed stale lock meta: {note}\n"
    assert lock(root, "reclaim", "--root", ".").stdout == "nothing to reclaim\n"
    with running(python(HOLD, root), until="held"):
        done = lock(root, "reclaim", "--root", ".")
    assert done.returncode == 1
    assert "ERROR: Another scrape is already running" in done.stderr


def test_force_never_unlocks_what_is_held(root: Path) -> None:
    with running(python(HOLD, root), until="held") as holder:
        done = lock(root, "force-unlock", "--root", ".", "--yes")
        assert done.returncode == 1
        assert f"To end it, end them: kill {holder.pid}" in done.stdout
        assert lock(root, "status", "--root", ".").returncode == 1


def test_force_asks_and_without_anybody_refuses(root: Path) -> None:
    note = dead_note(root)
    note.write_bytes(encode_meta(LockMeta(pid=os.getpid())))
    assert lock(root, "force-unlock", "--root", ".").returncode == 77
    assert note.exists()
    assert lock(root, "force-unlock", "--root", ".", "--yes").returncode == 0
    assert not note.exists()
    assert lock(root, "force-unlock", "--root", ".").returncode == 0


@pytest.mark.parametrize("words", [("status",), ("status", "--format", "json"), ("status", "--reclaim-stale")])
def test_a_free_lock_is_exit_0_also_for_a_reader_that_has_left(root: Path, words: tuple[str, ...]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = forked.run(
            [sys.executable, "-m", "dce_play", "lock", *words, "--root", "."],
            cwd=root,
            stdout=theirs,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(theirs)
    assert (done.returncode, done.stderr) == (0, b"")
