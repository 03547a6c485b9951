"""Every shipped playbook dry-runs on an archive, without a token, and the archive stays as it is."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support import forked
from tests.support.canned_exporter import tree
from tests.support.channel_files import write_channel
from tests.support.lab_hosts import lab_host

PLAYBOOKS = sorted(path.stem for path in (Path(__file__).parent.parent.parent / "playbooks").glob("*.yml"))
ROOM = "111111111111111111"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    demo = tmp_path / "archives" / "demo"
    write_channel(demo / f"room [{ROOM}].json", [1, 2, 3], channel_id=ROOM)
    stale = demo / ".dce-temp" / f"export.{ROOM}.abc123"
    stale.mkdir(parents=True)
    (stale / "export.json").write_bytes(b'{"guild": {')
    work.mkdir()
    config = {
        "archive_root": str(tmp_path / "archives"),
        "targets": [{"name": "demo", "output_dir": str(demo), "channel_ids": [ROOM]}],
    }
    (work / "scrape-targets.json").write_text(json.dumps(config))
    return work


def needs(playbook: str, home: Path) -> tuple[list[str], dict[str, str]]:
    """Return what a playbook must be told: words, and variables that name a configuration in the home."""
    match playbook:
        case "catchup":
            return ["--target", "demo", "--channel", ROOM], {}
        case "ship" | "requeue" | "doctor":
            host = lab_host(home, "http://127.0.0.1:9")
            for name in ("outbox", "shipped", "quarantine"):
                (host.data / name).mkdir()
            return [], {"DCE_SHIP_CONFIG": str(host.config)}
        case "receive-check":
            (home / "received" / "store").mkdir(parents=True)
            (home / "receive.toml").write_text(f'store_dir = "{home}/received"\n[version_gate]\nenabled = false\n')
            return [], {"DCE_RECEIVE_CONFIG": str(home / "receive.toml")}
        case "backup-before-apply" | "backups":
            (home / "data").mkdir()
            (home / "backup.yml").write_text(
                f"version: 1\nbackup_root: {home}/backups\n"
                f"modules: [{{name: kuma, files: {{paths: [{home}/data]}}, health: {{none: true}}}}]\n"
            )
            words = ["-e", "module=kuma"] if playbook == "backup-before-apply" else ["--modules", "kuma"]
            return words, {"DCE_BACKUP_MODULES": str(home / "backup.yml")}
    return [], {}


@pytest.mark.contract("R-3.26", "R-8.02", "R-6.02", "R-5.14")
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_dry_run_needs_no_token_and_leaves_every_byte(folder: Path, playbook: str) -> None:
    home = folder.parent / "home"
    home.mkdir()
    before = tree(folder.parent / "archives")
    words, variables = needs(playbook, home)
    done = forked.run(
        [sys.executable, "-m", "dce_play", "run", playbook, "--dry-run", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "DCE_MIN_FREE_MB": "1", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree(folder.parent / "archives") == before
    assert not (folder.parent / "archives/.dce-scrape.lock").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["scrape-targets.json"]
