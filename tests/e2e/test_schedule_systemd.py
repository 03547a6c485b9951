"""``schedule --systemd``: units that systemd itself judges, on a machine with a systemd and on one without."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.command_line import Said, Terminal, terminal_in
from tests.support.monitor_server import monitor_server

STANDIN = Path(__file__).parent.parent / "standins" / "systemctl.py"
TARGETS = """\
archive_root: {root}
targets:
  - {{name: "lab 100%", guild_ids: ["754679440998400000"], output_dir: "{root}/a"}}
  - {{name: other, guild_ids: ["754679440998400001"], output_dir: "{root}/b"}}
"""


def machine(tmp_path: Path, **variables: str) -> Terminal:
    made = terminal_in(tmp_path / "it's 5 % off", **variables)
    made.write("scrape-targets.yml", TARGETS.format(root=tmp_path / "archives"))
    return made


def schedule(terminal: Terminal, *words: str) -> Said:
    return terminal.run("run", "schedule", "--systemd", "--skip-preflight", *words)


def judged(folder: Path) -> str:
    """Return what systemd says of the units in a folder; its exit code is 0 whatever it says."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    manager = "--system" if os.getuid() == 0 else "--user"
    argv = ["systemd-analyze", manager, "verify", "--man=no", *map(str, sorted(folder.iterdir()))]
    said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60).stderr
    return "\n".join(line for line in said.splitlines() if "night" in line)


@pytest.mark.contract("R-12.09", "O16")
def test_the_units_are_sound_and_run_what_was_chosen(tmp_path: Path) -> None:
    terminal = machine(tmp_path)
    said = schedule(terminal, "--job-name", "night", "--unit-dir", "units", "--target", "lab 100%", "--at", "03:15")
    assert said.code == 0, said.out + said.err
    units = terminal.folder / "units"
    assert sorted(path.name for path in units.iterdir()) == ["night-failed.service", "night.service", "night.timer"]
    assert judged(units) == ""
    service = (units / "night.service").read_text(encoding="utf-8")
    timer = (units / "night.timer").read_text(encoding="utf-8")
    assert "OnFailure=night-failed.service\n" in service
    assert f"WorkingDirectory={str(terminal.folder).replace('%', '%%')}\n" in service
    assert '--target "lab 100%%"' in service
    assert timer.splitlines()[3:7] == [
        "[Timer]", "OnCalendar=*-*-01 03:15:00", "Persistent=true", "RandomizedDelaySec=300s",
    ]  # fmt: skip
    assert "enable --now night.timer" in said.out
    again = schedule(terminal, "--job-name", "night", "--unit-dir", "units", "--target", "lab 100%", "--at", "03:15")
    assert "the units say so already" in again.out
    removed = schedule(terminal, "--job-name", "night", "--unit-dir", "units", "--remove")
    assert removed.code == 0
    assert list(units.iterdir()) == []


@pytest.mark.contract("O16")
def test_without_a_systemd_nothing_is_promised(tmp_path: Path) -> None:
    terminal = machine(tmp_path)
    said = schedule(terminal)
    assert said.code == 1
    assert "no systemd runs" in said.out
    assert "dce-play run schedule" in said.out
    assert not list((terminal.folder / "home").rglob("*.timer"))
    gone = machine(tmp_path / "2", DCE_SYSTEMCTL_BIN="no-such-systemctl")
    said = schedule(gone)
    assert said.code == 1
    assert "there is no systemd on this machine: no program no-such-systemctl" in said.out


def test_a_time_that_systemd_does_not_take_is_refused(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    terminal = machine(tmp_path)
    for words in (("--on-calendar", "every full moon"), ("--on-calendar", "-x"), ("--at", "25:00")):
        said = schedule(terminal, "--unit-dir", "units", *words)
        assert said.code == 1, words
        assert not (terminal.folder / "units").exists()
    said = schedule(terminal, "--unit-dir", "units", "--on-calendar", "Mon..Fri 03:15")
    assert said.code == 0, said.out


def as_ordinary_user(terminal: Terminal, *words: str) -> Said:
    """Run a command as somebody who is not root: in a user namespace where we are uid 1000."""
    inside = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.getuid() == 0 else []
    if inside and subprocess.run([*inside, "true"], check=False, capture_output=True, timeout=60).returncode:
        pytest.skip("needs user namespaces")
    done = subprocess.run(
        [*inside, *terminal.argv(*words)],
        cwd=terminal.folder,
        env=terminal.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Said(code=done.returncode, out=done.stdout, err=done.stderr)


def test_a_user_s_units_are_written_started_and_removed(tmp_path: Path) -> None:
    log = tmp_path / "asked"
    terminal = machine(tmp_path, DCE_SYSTEMCTL_BIN=str(STANDIN), STANDIN_SYSTEMCTL=str(log))
    words = ("run", "schedule", "--systemd", "--skip-preflight")
    said = as_ordinary_user(terminal, *words)
    assert said.code == 0, said.out
    folder = terminal.folder / "home" / ".config" / "systemd" / "user"
    assert "User=" not in (folder / "discord-scrape.service").read_text(encoding="utf-8")
    assert log.read_text(encoding="utf-8").splitlines()[1:] == [
        "--user daemon-reload", "--user enable --now discord-scrape.timer",
    ]  # fmt: skip
    assert "loginctl enable-linger" in said.out
    assert as_ordinary_user(terminal, *words, "--remove").code == 0
    assert not list(folder.iterdir())
    assert "--user disable --now discord-scrape.timer" in log.read_text(encoding="utf-8")


def test_a_dry_run_shows_the_units_and_writes_none(tmp_path: Path) -> None:
    terminal = machine(tmp_path)
    said = schedule(terminal, "--unit-dir", "units", "--dry-run", "--diff")
    assert said.code == 0, said.out
    assert "+OnCalendar=*-*-01 04:00:00" in said.out
    assert not (terminal.folder / "units").exists()


def test_what_follows_a_failure_tells_the_monitors_of_a_killed_run(tmp_path: Path) -> None:
    with monitor_server() as monitor:
        terminal = machine(tmp_path)
        terminal.write("secret", f"{monitor.address}/topic")
        terminal.write("dce-play.toml", '[monitoring.ntfy]\nurl = "file:secret"\n')
        assert schedule(terminal, "--job-name", "night", "--unit-dir", "units").code == 0
        text = (terminal.folder / "units" / "night-failed.service").read_text(encoding="utf-8")
        [line] = [line.removeprefix("ExecStart=") for line in text.splitlines() if line.startswith("ExecStart=")]
        terminal.write("hang.yml", "version: 1\nname: hang\nsteps: [{command.run: {argv: [sh, -c, 'kill -9 $PPID']}}]")
        assert terminal.run("run", "hang.yml").code == -9
        done = subprocess.run(
            shlex.split(line.replace("%%", "%")), cwd=terminal.folder, env=terminal.environment, check=False, timeout=60
        )
        assert done.returncode == 0
        assert [each.query["title"].partition(" on ")[0] for each in monitor.heard] == ["hang was killed"]
