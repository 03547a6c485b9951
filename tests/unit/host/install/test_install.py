"""Installing below a folder that stands for a machine: files, modes, what is kept, what a second run changes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dce_play.host.install.files import Action
from dce_play.host.install.install import Installed, Options, install
from dce_play.host.install.request import CannotInstall, Request, Role
from dce_play.host.install.source import LIST_NAME
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker

TEMPLATES = {Role.SHIPPER: "# an example\nhost_id = 'x'\n", Role.RECEIVER: "# another\n"}
SYSTEMCTL = """#!/bin/sh
echo "$@" >> {log}
case "$1" in is-enabled) grep -qx "$2" {enabled} && echo enabled || {{ echo disabled; exit 1; }};; esac
"""


class Machine:
    """A folder that stands for a machine, a small checkout, and a systemctl that keeps a log."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.source = folder / "checkout"
        (self.source / "dce_play").mkdir(parents=True)
        (self.source / "pyproject.toml").write_text("[project]\n")
        (self.source / "dce_play" / "a.py").write_text("A = 1\n")
        self.log, self.enabled = folder / "systemctl.log", folder / "enabled"
        self.enabled.write_text("")
        self.systemctl = folder / "systemctl"
        self.systemctl.write_text(SYSTEMCTL.format(log=self.log, enabled=self.enabled))
        self.systemctl.chmod(0o755)

    def request(self, *roles: Role, **more: Any) -> Request:
        facts: dict[str, Any] = {
            "roles": roles,
            "destdir": self.root,
            "prefix": Path("/opt/dce-play"),
            "user": "dce-play",
            "source": self.source,
        }
        return Request(**(facts | more))

    def install(self, *roles: Role, dry_run: bool = False, systemctl: bool = False, **more: Any) -> Installed:
        return install(
            self.request(*roles, **more),
            Options(dry_run=dry_run, venv=False, systemctl=str(self.systemctl) if systemctl else None),
            templates=TEMPLATES,
            folders={},
            environment=os.environ,
            executor=LocalExecutor(os.environ, Masker()),
            drain=lambda: None,
        )

    def text(self, path: str) -> str:
        return (self.root / path).read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def actions(done: Installed) -> set[Action]:
    return {action for _, action in done.files}


@pytest.mark.contract("I4")
def test_a_second_run_changes_nothing(machine: Machine) -> None:
    roles = (Role.SHIPPER, Role.RECEIVER, Role.SCHEDULE)
    assert actions(machine.install(*roles)) == {Action.CREATED}
    again = machine.install(*roles)
    assert actions(again) == {Action.UNCHANGED, Action.KEPT}
    assert not again.changed


@pytest.mark.contract("I2")
def test_files_lie_where_systemd_looks_with_modes_that_keep_secrets(machine: Machine) -> None:
    machine.install(Role.SHIPPER)
    modes = {
        "etc/systemd/system/dce-play-shipper.service": 0o644,
        "etc/dce-play/ship.toml": 0o640,
        "etc/dce-play/ship.toml.example": 0o644,
        "etc/sysusers.d/dce-play.conf": 0o644,
        "etc/tmpfiles.d/dce-play.conf": 0o644,
    }
    assert {name: (machine.root / name).stat().st_mode & 0o7777 for name in modes} == modes


@pytest.mark.parametrize("folder", [None, Path("/srv/dce")])
def test_a_scheduled_playbook_runs_where_its_targets_file_is_and_may_write_there(
    machine: Machine, folder: Path | None
) -> None:
    machine.install(Role.SCHEDULE, folder=folder, archive_root=Path("/mnt/archives") if folder else None)
    lines = machine.text("etc/systemd/system/dce-play-schedule.service").splitlines()
    writable = "/var/lib/dce-play /srv/dce /mnt/archives" if folder else "/var/lib/dce-play"
    assert f"WorkingDirectory={folder or '/var/lib/dce-play'}" in lines
    assert f"ReadWritePaths={writable}" in lines


@pytest.mark.contract("I2")
def test_the_operators_configuration_is_never_overwritten_and_the_example_is_brought_up_to_date(
    machine: Machine,
) -> None:
    machine.install(Role.SHIPPER)
    config = machine.root / "etc/dce-play/ship.toml"
    config.write_text("host_id = 'mine'\n")
    config.with_name("ship.toml.example").write_text("old")
    done = machine.install(Role.SHIPPER)
    assert dict(done.files)[config] is Action.KEPT
    assert config.read_text() == "host_id = 'mine'\n"
    assert machine.text("etc/dce-play/ship.toml.example") == TEMPLATES[Role.SHIPPER]


@pytest.mark.contract("I3")
def test_stale_modules_go_and_what_somebody_else_put_there_stays(machine: Machine) -> None:
    machine.install(Role.SHIPPER)
    prefix = machine.root / "opt/dce-play"
    (prefix / "dce_play" / "theirs.py").write_text("")
    (machine.source / "dce_play" / "a.py").rename(machine.source / "dce_play" / "b.py")
    machine.install(Role.SHIPPER)
    assert sorted(path.name for path in (prefix / "dce_play").iterdir()) == ["b.py", "theirs.py"]


@pytest.mark.contract("I3")
@pytest.mark.parametrize(
    "folder", [".venv", ".nox", ".import_linter_cache", "build", "mutants", "dce_play/__pycache__"]
)
def test_what_the_tools_of_developers_leave_in_a_checkout_is_not_installed(machine: Machine, folder: str) -> None:
    (machine.source / folder / "below").mkdir(parents=True)
    (machine.source / folder / "below" / "large.py").write_text("")
    machine.install(Role.SHIPPER)
    prefix = machine.root / "opt/dce-play"
    assert (prefix / "dce_play" / "a.py").is_file()
    assert not (prefix / folder).exists()


@pytest.mark.contract("I3")
@pytest.mark.parametrize("linked", [False, True])
def test_a_source_that_is_the_prefix_is_not_copied_and_the_units_are_still_written(
    machine: Machine,
    linked: bool,
) -> None:
    prefix = machine.root / "opt/dce-play"
    prefix.parent.mkdir(parents=True)
    shutil.copytree(machine.source, prefix)
    source = prefix
    if linked:
        source = machine.root / "link"
        source.symlink_to(prefix)
    machine.install(Role.SHIPPER, source=source)
    assert (machine.root / "etc/systemd/system/dce-play-shipper.service").is_file()
    assert not (prefix / LIST_NAME).exists()


@pytest.mark.contract("I5")
def test_enabled_units_of_the_named_roles_are_restarted_changed_or_not_and_no_other(machine: Machine) -> None:
    machine.enabled.write_text("dce-play-shipper.service\ndce-play-receiver.service\n")
    machine.install(Role.SHIPPER)
    done = machine.install(Role.SHIPPER, Role.ORCHESTRATOR, systemctl=True, exec_argv=("/bin/true",))
    assert done.restarted == ("dce-play-shipper.service",)
    said = machine.log.read_text().splitlines()
    assert said[0] == "daemon-reload"
    assert [line for line in said if line.startswith("restart")] == ["restart dce-play-shipper.service"]


@pytest.mark.contract("I7")
def test_everything_that_is_missing_is_told_at_once_and_nothing_changed(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.source / "pyproject.toml").unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(CannotInstall) as caught:
        machine.install(Role.RECEIVER)
    assert "git" in str(caught.value)
    assert "sources of dce-play" in str(caught.value)
    assert caught.value.exit_code == 4
    assert not machine.root.exists()


@pytest.mark.contract("I8")
def test_units_run_the_installed_program_hardened_and_systemd_has_nothing_to_say(machine: Machine) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    roles = (Role.SHIPPER, Role.RECEIVER, Role.SCHEDULE, Role.ORCHESTRATOR)
    machine.install(*roles, user="root", exec_argv=("/bin/sleep", "1"), playbook="/srv/a b.yml")
    unit = machine.text("etc/systemd/system/dce-play-shipper.service")
    for line in (
        "ExecStart=/opt/dce-play/venv/bin/dce-play ship run",
        "Type=notify", "NotifyAccess=main", "WatchdogSec=180", "Restart=on-failure", "RestartSec=5",
        "RestartPreventExitStatus=3 75", "User=root", "NoNewPrivileges=yes", "ProtectSystem=strict",
        "ReadWritePaths=/var/lib/dce-play", "PrivateTmp=yes", "ProtectHome=read-only", "CapabilityBoundingSet=",
        "SystemCallFilter=@system-service", "UMask=0077",
    ):  # fmt: skip
        assert f"\n{line}\n" in unit
    folder = machine.root / "etc/systemd/system"
    for path in folder.iterdir():
        path.write_text(path.read_text().replace("/opt/dce-play/venv/bin/dce-play", sys.executable))
    units = sorted(str(path) for path in folder.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""


def test_a_dry_run_writes_nothing_and_shows_the_files(machine: Machine) -> None:
    done = machine.install(Role.SHIPPER, dry_run=True)
    assert actions(done) == {Action.CREATED}
    assert any("+ExecStart=" in diff for diff in done.diffs)
    assert not machine.root.exists()


def test_a_list_of_installed_files_that_leads_outside_removes_nothing(machine: Machine, tmp_path: Path) -> None:
    machine.install(Role.SHIPPER)
    outside = tmp_path / "outside"
    outside.write_text("x")
    listed = machine.root / "opt/dce-play" / LIST_NAME
    listed.write_text(json.dumps(["../../../outside", str(outside), 7]))
    machine.install(Role.SHIPPER)
    assert outside.exists()
