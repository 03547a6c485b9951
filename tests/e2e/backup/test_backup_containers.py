"""Backups of modules in real containers: found, held still, let go again whatever happens, restored."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.backups import Yard, wait_for, yard_in
from tests.support.command_line import Terminal
from tests.support.podman import IMAGE, Podman

pytestmark = [pytest.mark.slow, pytest.mark.root]

RUN = ("run", "kuma", "--allow-unattended", "--format", "json")


@pytest.fixture
def yard(podman: Podman, tmp_path: Path) -> Iterator[Yard]:
    base = yard_in(tmp_path, **podman.variables)
    podman.run(
        "run",
        "-d",
        "--name",
        "kuma",
        "--stop-signal",
        "KILL",
        "-v",
        f"{base.data}:/app/data",
        IMAGE,
        "/bin/busybox",
        "sleep",
        "600",
    )
    base.define(files=None, health=None, container="kuma", quiesce={"mode": "pause"})
    yield base
    podman.run("rm", "--force", "--time", "0", "--all")


def with_path(yard: Yard, folder: Path) -> Yard:
    terminal = yard.terminal
    variables = {**terminal.variables, "PATH": f"{folder}:{os.environ['PATH']}"}
    return replace(yard, terminal=Terminal(folder=terminal.folder, variables=variables))


def slow_gzip(folder: Path) -> Path:
    """Make a compressor that says that it runs, and takes its time; return the mark it leaves."""
    folder.mkdir()
    mark = folder / "compressing"
    for name in ("pigz", "gzip"):
        program = folder / name
        program.write_text(f'#!/bin/sh\ntouch {mark}\nsleep 30\nexec /bin/gzip "$@"\n')
        program.chmod(0o755)
    return mark


@pytest.mark.contract("B4", "N6")
def test_what_a_container_mounts_is_archived_while_it_is_paused_and_it_runs_after(yard: Yard, podman: Podman) -> None:
    row = yard.take()
    manifest = json.loads(Path(row["manifest"]).read_text())
    assert row["consistency"] == "quiesced"
    assert manifest["roots"] == [
        {"label": "app/data", "source": str(yard.data), "destination": "/app/data", "type": "bind"}
    ]
    assert manifest["source"]["container"]["name"] == "kuma"
    assert manifest["quiesced_s"] > 0
    assert row["health"] == {"before": "healthy", "after": "healthy"}
    assert podman.state("kuma") == "running"
    assert yard.ask("run", "kuma", "--dry-run")[1]["planned"][0]["quiesce"] == ["pause kuma"]


@pytest.mark.contract("B4", "N6")
@pytest.mark.parametrize("mode", ["pause", "stop"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_ended_while_it_holds_a_container_lets_it_go_within_ten_seconds(
    yard: Yard, podman: Podman, tmp_path: Path, number: signal.Signals, mode: str
) -> None:
    yard.define(files=None, health=None, container="kuma", quiesce={"mode": mode})
    mark = slow_gzip(tmp_path / "slow")
    slow = with_path(yard, tmp_path / "slow")
    process = slow.start(*RUN)
    held = {"pause": "paused", "stop": "exited"}[mode]
    wait_for(lambda: mark.exists() and podman.state("kuma") == held, within_s=40, what="a held container")
    process.send_signal(number)
    began = time.monotonic()
    wait_for(lambda: podman.state("kuma") == "running", within_s=10, what="a running container")
    assert time.monotonic() - began < 10
    process.communicate(timeout=60)
    assert [name for name in yard.names() if not name.endswith(".part")] == []
    if number == signal.SIGKILL:
        found = yard.ask("recover")[1]
        assert len(found["removed"]) == 1
        assert yard.ask("list")[1]["leftovers"] == []


@pytest.mark.contract("B4", "N6")
def test_after_max_it_is_let_go_and_the_backup_fails(yard: Yard, podman: Podman, tmp_path: Path) -> None:
    yard.define(files=None, health=None, container="kuma", quiesce={"mode": "pause", "max": "1s"})
    (yard.data / "big").write_bytes(os.urandom(4 << 20))
    mark = slow_gzip(tmp_path / "slow")
    for name in ("pigz", "gzip"):
        program = tmp_path / "slow" / name
        program.write_text(program.read_text().replace("sleep 30", "sleep 4"))
    slow = with_path(yard, tmp_path / "slow")
    process = slow.start(*RUN)
    wait_for(mark.exists, within_s=30, what="a compressor")
    wait_for(lambda: podman.state("kuma") == "running", within_s=8, what="a running container")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(out)["failed"][0]["error"] == "quiesce-failed"
    assert yard.names() == []


@pytest.mark.contract("B4", "N6")
def test_what_did_not_run_before_does_not_run_after(yard: Yard, podman: Podman) -> None:
    yard.define(files=None, health={"none": True}, container="kuma", quiesce={"mode": "stop"})
    podman.run("stop", "--time", "0", "kuma")
    yard.take()
    assert podman.state("kuma") == "exited"


def test_a_module_of_two_containers_is_ambiguous_and_both_are_named(yard: Yard, podman: Podman) -> None:
    for project in ("one", "two"):
        podman.run(
            "create", "--name", f"{project}_web", "--label", "com.docker.compose.service=web",
            "--label", f"com.docker.compose.project={project}", "-v", f"{yard.data}:/d", IMAGE,
            "/bin/busybox", "sleep", "9",
        )  # fmt: skip
    common = {"restore_notes": "none", "health": {"none": True}}
    yard.define_all({"name": "web", **common}, {"name": "gone", "container": "no-such", **common})
    code, found = yard.ask("run", "web", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (4, "ambiguous")
    assert "one_web and two_web" in found["failed"][0]["message"]
    assert yard.ask("run", "gone", "--allow-unattended")[1]["failed"][0]["error"] == "not-found"
    yard.define_all({"name": "web", "container": {"service": "web", "project": "two"}, **common})
    assert yard.ask("run", "web", "--allow-unattended")[0] == 0


def test_a_restore_under_a_running_container_is_refused_and_with_stop_it_is_stopped_and_started(
    yard: Yard, podman: Podman
) -> None:
    row = yard.take()
    (yard.data / "a.txt").write_text("newer\n")
    code, found = yard.ask("restore", row["file"], "--apply", "--confirm", "kuma")
    assert code == 4, found
    assert (yard.data / "a.txt").read_text() == "newer\n"
    yard.define(files=None, health=None, container="kuma", quiesce={"mode": "stop"})
    code, found = yard.ask("restore", row["file"], "--apply", "--confirm", "kuma")
    assert code == 0, found
    assert (yard.data / "a.txt").read_text() == "first\n"
    assert podman.state("kuma") == "running"


def test_a_compose_project_is_archived_with_its_environment_and_its_hash(podman: Podman, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    if shutil.which("podman-compose", path=path) is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("no podman-compose")
    yard = yard_in(tmp_path, PATH=path, **podman.variables)
    project = tmp_path / "agaria"
    (project / "data").mkdir(parents=True)
    (project / "data" / "x").write_text("x")
    (project / ".env").write_text("POSTGRES_PASSWORD=hunter2secret\n")
    (project / "compose.yaml").write_text(
        f"services:\n  db:\n    image: {IMAGE}\n    environment:\n      P: ${{POSTGRES_PASSWORD}}\n"
    )
    yard.define_all(
        {"name": "agaria-postgres", "compose": {"project_root": str(project)}, "restore_notes": "none",
         "health": {"none": True}}
    )  # fmt: skip
    code, found = yard.ask("run", "agaria-postgres", "--allow-unattended")
    assert code == 0, found
    row = found["backups"][0]
    text = Path(row["manifest"]).read_text()
    compose = json.loads(text)["compose"]
    assert (row["class"], len(compose["compose_config_sha256"])) == ("G", 64)
    assert [image["name"] for image in compose["images"]] == [IMAGE]
    assert "hunter2secret" not in text
    assert yard.ask("drill", row["file"])[1]["restored"]["files"] == 3
    code, _ = yard.ask("restore", row["file"], "--into", str(tmp_path / "out"), "--apply", "--confirm", row["module"])
    assert code == 0
    assert (tmp_path / "out" / str(project).lstrip("/") / ".env").read_text() == "POSTGRES_PASSWORD=hunter2secret\n"


@pytest.mark.contract("B4", "N6", "N14")
@pytest.mark.strace
def test_a_restore_that_is_killed_between_its_renames_never_starts_the_container_without_its_root(
    yard: Yard, podman: Podman
) -> None:
    if shutil.which("strace") is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("no strace")
    row = yard.take()
    yard.define(files=None, health=None, container="kuma", quiesce={"mode": "stop"})
    (yard.data / "a.txt").write_text("newer\n")
    words = ("restore", row["file"], "--apply", "--confirm", "kuma", "--no-safety-backup")
    for number in range(1, 20):
        inject = f"-einject=rename:signal=SIGKILL:when={number}"
        said = yard.under("strace", "-qq", "-o", "/dev/null", "-etrace=rename", inject, words=words)
        if said.code == 0:
            break
        wait_for(lambda: podman.state("kuma") == "running", within_s=10, what="a running container")
        assert podman.run("exec", "kuma", "/bin/busybox", "cat", "/app/data/a.txt") in {"newer", "first"}
        assert yard.ask("recover")[0] == 0
        assert podman.run("exec", "kuma", "/bin/busybox", "cat", "/app/data/a.txt") in {"newer", "first"}
    else:
        pytest.fail("it never came to its end")
    assert number > 3
    assert yard.ask("list")[1]["leftovers"] == []
    assert podman.run("exec", "kuma", "/bin/busybox", "cat", "/app/data/a.txt") == "first"
