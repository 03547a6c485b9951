"""Commands whose files may not grow (``ulimit -f``): told as that, and not as a full disk."""

import json
import os
import subprocess
import sys
from pathlib import Path

from dce_play.discord.simulator.server import running_simulator
from dce_play.discord.simulator.worlds import Size, build_world
from tests.support.backups import yard_in
from tests.support.lab_hosts import LabHost
from tests.support.receiver import Receiver, archive
from tests.support.simulated_scrape import scrape_environment, write_targets
from tests.support.stand_in_receiver import receiving

LIMIT = ("prlimit", "--fsize=200000")
HELP = "free space does not help"


def test_an_episode_that_is_packed_into_a_file_that_may_not_grow_is_tried_again_and_said_to_be_that(
    tmp_path: Path,
) -> None:
    with receiving() as receiver:
        host = LabHost(folder=tmp_path, url=receiver.url)
        host.write_config()
        host.episode("large", files={"x": os.urandom(1_000_000)})
        host.episode("small")
        done = host.run("ship", "once", "--format", "json", prefix=LIMIT)
    rows = {row["id"]: row for row in json.loads(done.stdout)["episodes"]}
    assert (rows["large"]["outcome"], rows["large"]["code"]) == ("retry", "io_error")
    assert rows["small"]["outcome"] == "stored"
    assert f"{host.data}/outbox/large.tar.zst.part: file too large ({HELP}" in json.dumps(rows["large"])
    assert host.where()["episodes"] == ["large"]


def test_a_channel_whose_export_may_not_grow_is_said_to_be_that(tmp_path: Path) -> None:
    with running_simulator(build_world(7, size=Size(messages=3000))) as simulator:
        write_targets(tmp_path, guild_ids=list(simulator.world.guilds))
        argv = [*LIMIT, sys.executable, "-m", "dce_play", "run", "scrape", "--skip-preflight", "--output", "jsonl"]
        environment = scrape_environment(tmp_path, simulator)
        done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert f"export.json: File too large ({HELP}" in said
    assert "no space left" not in said


def limited_run(folder: Path, steps: str) -> "subprocess.CompletedProcess[str]":
    """Run a playbook of these steps where no file may grow beyond the limit."""
    (folder / "play.yml").write_text(f"name: play\nsteps: [{steps}]\n")
    argv = [*LIMIT, sys.executable, "-m", "dce_play", "run", "play.yml", "--state-dir", "state", "--output", "jsonl"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_journal_that_may_not_grow_is_said_to_be_that(tmp_path: Path) -> None:
    done = limited_run(tmp_path, "{loop: '{{ range(3000) | list }}', report.say: {text: a}}")
    assert done.returncode == 1
    assert HELP in done.stdout + done.stderr
    assert "make room" not in done.stdout + done.stderr


def test_a_file_of_a_step_that_may_not_grow_is_said_to_be_that(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(400_000))
    done = limited_run(tmp_path, "{file.copy: {source: large, target: copy}}")
    assert done.returncode == 1
    assert HELP in done.stdout
    assert "make room" not in done.stdout


def test_a_backup_that_may_not_grow_is_no_full_disk(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    (yard.data / "large").write_bytes(os.urandom(1_000_000))
    said = yard.under(*LIMIT, words=("run", "kuma", "--allow-unattended", "--format", "json"))
    failed = json.loads(said.out)["failed"][0]
    assert (said.code, failed["error"]) == (1, "write-failed")
    assert HELP in said.out + said.err
    assert yard.names() == []


def test_a_receiver_whose_files_may_not_grow_does_not_say_that_its_disk_is_full(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path, wrapper=LIMIT) as receiver:
        answer = receiver.put("large", archive("large", {"x": os.urandom(1_000_000)}))
        assert (answer.status, answer.code) == (500, "internal")
        assert HELP in receiver.log()
        assert receiver.put("small", archive("small")).status == 201
