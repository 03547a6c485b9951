"""Engines that do not answer and folders that are not ours alone: told, never read as nothing there."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.backups import Yard, yard_in
from tests.support.command_line import Terminal

OFF = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
LETS_NOT_IN = "permission denied while trying to connect to the Docker daemon socket"


def beside(yard: Yard, folder: Path, **programs: str) -> Yard:
    """Return the yard with these shell programs, and no other container engine, on its path."""
    folder.mkdir()
    for name in ("gzip", "pigz", "zstd", "sh", "sleep"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    terminal = yard.terminal
    variables = {**terminal.variables, "PATH": str(folder)}
    return replace(yard, terminal=Terminal(folder=terminal.folder, variables=variables))


@pytest.mark.contract("B10")
def test_a_broken_engine_is_told_and_not_read_as_no_containers(tmp_path: Path) -> None:
    podman = shutil.which("podman")
    if podman is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("no podman")
    conf = tmp_path / "storage.conf"
    conf.write_text(f'[storage]\ndriver = "nonsense"\ngraphroot = "{tmp_path}/g"\nrunroot = "{tmp_path}/r"\n')
    yard = yard_in(tmp_path, CONTAINERS_STORAGE_CONF=str(conf), HOME=str(tmp_path / "home"))
    yard.define(health=None)
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (4, "unreachable")
    assert "podman does not tell" in found["failed"][0]["message"]
    assert not yard.root.exists() or yard.names() == []
    yard.define(health=None, container_engine="none")  # what the hint says
    assert yard.ask("run", "kuma", "--allow-unattended")[0] == 0


@pytest.mark.contract("B10")
def test_a_compose_project_whose_engine_is_silent_is_refused(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    module = {"name": "kuma", "class": "G", "compose": {"project_root": str(yard.data)}, "restore_notes": "none"}
    yard.define_all(module)
    silent = beside(yard, tmp_path / "bin", docker=f"echo '{LETS_NOT_IN}' >&2; exit 1")
    code, found = silent.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (4, "unreachable")
    assert "permission denied" in found["failed"][0]["message"]


@pytest.mark.contract("B10")
def test_a_restore_asks_every_engine_who_mounts_what_it_replaces(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    yard.define(container_engine="none")
    row = yard.take()
    yard.define()
    (yard.data / "a.txt").write_text("newer\n")
    mount = {"Type": "bind", "Source": str(yard.data), "Destination": "/d"}
    told = json.dumps([{"Id": "abc", "Name": "web", "State": {"Running": True}, "Mounts": [mount]}])
    runs = f"case $1 in ps) [ $2 = -q ] && echo abc; exit 0;; inspect) echo '{told}'; exit 0;; esac"
    both = beside(yard, tmp_path / "both", podman="exit 0", docker=runs)
    code, found = both.ask("restore", row["file"], "--apply", "--confirm", "kuma")
    assert (code, found["error"]["id"]) == (4, "ambiguous"), found
    assert "web" in found["error"]["message"]
    silent = beside(yard, tmp_path / "silent", podman="exit 0", docker=f"echo '{LETS_NOT_IN}' >&2; exit 1")
    code, found = silent.ask("restore", row["file"], "--apply", "--confirm", "kuma")
    assert (code, found["error"]["id"]) == (4, "unreachable"), found
    assert (yard.data / "a.txt").read_text() == "newer\n"


@pytest.mark.contract("B10")
def test_an_engine_that_is_switched_off_is_told_and_refused_where_a_container_is_named(tmp_path: Path) -> None:
    yard = beside(yard_in(tmp_path), tmp_path / "bin", docker=f"echo '{OFF}' >&2; exit 1")
    said = yard.run("run", "kuma", "--allow-unattended")
    assert said.code == 0, said
    assert "docker is installed and does not run" in said.err
    yard.define(container="kuma")
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (4, "unreachable")


@pytest.mark.contract("B2")
@pytest.mark.parametrize("words", [["list"], ["audit"], ["show", "kuma@latest"], ["verify", "kuma@latest"], ["prune"]])
def test_a_root_that_others_may_look_into_is_refused_by_what_only_reads_too(tmp_path: Path, words: list[str]) -> None:
    yard = yard_in(tmp_path)
    yard.take()
    yard.root.chmod(0o755)
    code, found = yard.ask(*words)
    assert (code, found["error"]["id"]) == (4, "unsafe-root")
    assert found["error"]["hint"] == f"chmod 700 {yard.root}"
