"""The README's main job, as its own process, in a fresh environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import forked
from tests.support.channel_files import ids_in

PLAYBOOKS = Path(__file__).parent.parent.parent / "playbooks"


def rehearse(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run in an environment whose home, state and scratch folders are the test's own."""
    for name in ("home", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    given = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), **environment}
    return forked.run(
        [sys.executable, "-m", "dce_play", "run", *words, "--rehearse"],
        cwd=folder,
        env=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def archives(folder: Path) -> list[Path]:
    return sorted((folder / "tmp").glob("dce-play-rehearsal-*/archives/*/*.json"))


@pytest.mark.contract("R-7.03", "R-7.07", "R-15.06", "D-17", "D-19", "O-07")
def test_proof_rehearses_twice_and_proves_the_increment(tmp_path: Path) -> None:
    done = rehearse(tmp_path, str(PLAYBOOKS / "proof.yml"), "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Rehearsal passed: two runs" in done.stderr
    assert done.stdout.count("Operator proof passed for lab-guild") == 2
    assert done.stdout.count("Operator proof passed for workshop") == 2
    files = archives(tmp_path)
    assert len(files) == 12
    for path in files:
        ids = ids_in(path)
        assert ids == sorted(set(ids))
        assert json.loads(path.read_bytes())["messageCount"] == len(ids)
    assert [path.name for path in (tmp_path / "home").iterdir()] in ([], [".cache"])


def test_a_rehearsal_is_one_page_of_what_came_in(tmp_path: Path) -> None:
    done = rehearse(tmp_path, str(PLAYBOOKS / "proof.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    assert len(lines) <= 24
    assert all(len(line) <= 80 or str(tmp_path) in line for line in lines)
    assert "OK  +389 messages in 11 of 13 channels · proved" in done.stdout
    assert "OK  +12 messages in 8 of 12 channels · proved" in done.stdout
    assert "= 4 unchanged   ! 1 not archived: board-room" in done.stdout


@pytest.mark.parametrize("playbook", ["validation", "scrape", "salvage", "handoff"])
def test_every_playbook_of_the_main_job_rehearses(tmp_path: Path, playbook: str) -> None:
    done = rehearse(tmp_path, playbook, "--target", "my own name")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Rehearsal passed" in done.stderr


@pytest.mark.contract("R-11.08", "R-15.05")
def test_nothing_of_the_operators_own_takes_part_in_a_rehearsal(tmp_path: Path) -> None:
    root = tmp_path / "real archives"
    root.mkdir()
    config = tmp_path / "scrape-targets.json"
    config.write_text(json.dumps({"archive_root": str(root), "targets": [{"name": "x", "output_dir": f"{root}/x"}]}))
    done = rehearse(
        tmp_path,
        "proof",
        DISCORD_TOKEN="canary-of-the-operator",
        DCE_CONFIG_FILE=str(config),
        DCE_SCRAPE_LOCK_FILE=str(tmp_path / "lock"),
        DCE_RUN_SUMMARY_FILE=str(tmp_path / "summary.json"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(root.iterdir()) == []
    assert not (tmp_path / "lock").exists()
    assert not (tmp_path / "summary.json").exists()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if b"canary-of-the-operator" in path.read_bytes()]
    assert not [path for path in written if b"simulated-user-token" in path.read_bytes()]
    assert "canary-of-the-operator" not in done.stdout + done.stderr


def test_a_playbook_that_would_reach_beyond_is_refused(tmp_path: Path) -> None:
    done = rehearse(tmp_path, "schedule", "--skip-preflight")
    assert done.returncode == 2
    assert "schedule.cron" in done.stderr
    synced = rehearse(tmp_path, "proof", "--sync-gui")
    assert synced.returncode == 2
    assert "token.sync_gui" in synced.stderr


@pytest.mark.contract("R-8.02", "O-05", "R-7.12", "W-03")
def test_a_dry_rehearsal_plans_against_the_empty_root_and_asks_nobody(tmp_path: Path) -> None:
    done = rehearse(tmp_path, "proof", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Dry run complete (no Discord scrape)." in done.stdout
    assert "JSON summary file:" not in done.stdout
    assert archives(tmp_path) == []
