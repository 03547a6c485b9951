"""The schedule playbook against a stand-in for crontab(1)."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dce_play.system.proc import process_names
from tests.support import forked
from tests.support.canned_exporter import tree

STANDIN = Path(__file__).parent.parent / "standins" / "crontab.py"
OTHERS = """MAILTO=ops@example.org
# backup
0 2 * * * /usr/local/bin/backup --all
30 4 * * 0 /usr/local/bin/logrotate
"""


class Machine:
    """A working folder with a targets file, and a crontab."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "ops"
        self.folder.mkdir()
        self.table = folder / "crontab"
        self.table.write_text(OTHERS)
        (self.folder / "scrape-targets.json").write_text(
            json.dumps(
                {
                    "archive_root": str(folder / "archives"),
                    "targets": [
                        {"name": name, "output_dir": f"{folder}/archives/{name}", "guild_ids": ["754679440998400000"]}
                        for name in ("demo", "o'ther %")
                    ],
                }
            )
        )
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DCE_CRONTAB_BIN": str(STANDIN),
            "STANDIN_CRONTAB": str(self.table),
        }

    def schedule(self, *words: str, playbook: str = "schedule") -> subprocess.CompletedProcess[str]:
        return forked.run(
            [sys.executable, "-m", "dce_play", "run", playbook, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def install(self, *words: str) -> str:
        done = self.schedule("--skip-preflight", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.table.read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.contract("F-S1", "R-12.01")
def test_the_users_own_lines_stay_byte_for_byte_also_with_secrets_in_them(machine: Machine) -> None:
    own = b"GREETING=caf\xe9\nPGPASSWORD=hunter2-hunter2\n* * * * * echo \xe2\x80\xa8 hunter2-hunter2 \x0c\r\n"
    machine.table.write_bytes(own)
    machine.environment["PGPASSWORD"] = "hunter2-hunter2"
    done = machine.schedule("--skip-preflight")
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.table.read_bytes().startswith(own)
    assert b"# BEGIN " in machine.table.read_bytes()
    assert "hunter2" not in done.stdout + done.stderr
    assert not [path for path in machine.folder.parent.rglob("crontab.*") if path != machine.table]


@pytest.mark.contract("R-12.01", "R-12.08", "C-01", "C-02", "C-04", "C-09", "C-10", "C-11", "C-13")
def test_install_again_change_and_remove(machine: Machine) -> None:
    first = machine.install()
    assert first.startswith(OTHERS)
    assert first.count("# BEGIN discord-scrape") == 1
    line = first.splitlines()[-2]
    assert line.startswith(
        f"00 04 1 * * cd {machine.folder} && DCE_COMPOSE_TTY=0 DCE_ENV_FILE={machine.folder}/scrape.env "
    )
    assert f"--config {machine.folder}/scrape-targets.json --log-file {machine.folder}/logs/discord-scrape.log" in line
    assert ">>" not in line
    assert machine.install() == first
    weekly = machine.install("--interval", "weekly", "--at", "03:15")
    assert weekly == first.replace("00 04 1 * *", "15 03 * * 0")
    assert machine.install("--remove") == OTHERS


@pytest.mark.contract("R-12.10", "C-08", "R-12.05")
def test_selections_and_options_are_in_the_job_quoted_for_shell_and_cron(machine: Machine) -> None:
    table = machine.install("--target", "o'ther %", "--salvage-before-scrape")
    assert r"""--target 'o'"'"'ther \%' --salvage-before-scrape""" in table


@pytest.mark.contract("R-12.10")
def test_a_channel_needs_exactly_one_target(machine: Machine) -> None:
    done = machine.schedule("--skip-preflight", "--channel", "754679440998400000")
    assert done.returncode == 2
    assert machine.table.read_text() == OTHERS


@pytest.mark.contract("R-12.04", "C-06")
def test_a_schedule_that_cron_would_misread_is_refused(machine: Machine) -> None:
    done = machine.schedule("--skip-preflight", "--cron", "0 2 * * *; touch /tmp/evil")
    assert done.returncode != 0
    assert machine.table.read_text() == OTHERS


@pytest.mark.contract("R-12.02", "D-21")
def test_a_crontab_with_unbalanced_markers_stays_as_it_is(machine: Machine) -> None:
    machine.table.write_text("# BEGIN discord-scrape\n" + OTHERS)
    done = machine.schedule("--skip-preflight")
    assert done.returncode == 1
    assert "crontab -e" in done.stdout + done.stderr
    assert machine.table.read_text() == "# BEGIN discord-scrape\n" + OTHERS


@pytest.mark.contract("R-12.06", "C-05")
def test_a_failing_preflight_leaves_the_crontab_as_it_is(machine: Machine) -> None:
    machine.environment |= {"DISCORD_TOKEN": "x" * 30, "DCE_DISCORD_API_BASE": "http://127.0.0.1:9/api"}
    machine.environment["DCE_CLI_BIN"] = "/bin/false"
    done = machine.schedule()
    assert done.returncode != 0
    assert machine.table.read_text() == OTHERS


@pytest.mark.contract("R-12.03", "D-23", "C-03", "C-07", "C-12")
def test_a_dry_run_shows_the_block_and_changes_nothing_anywhere(machine: Machine) -> None:
    before = tree(machine.folder)
    done = machine.schedule("--dry-run", "--diff", "--cron", "15 3 * * mon")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# BEGIN discord-scrape" in done.stdout
    assert "15 3 * * mon" in done.stdout
    assert tree(machine.folder) == before
    assert machine.table.read_text() == OTHERS


@pytest.mark.contract("R-12.09")
def test_a_machine_without_cron_gets_a_clear_message(machine: Machine) -> None:
    machine.environment["DCE_CRONTAB_BIN"] = "no-such-crontab"
    done = machine.schedule("--skip-preflight")
    assert done.returncode != 0
    assert "no-such-crontab" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0 or shutil.which("crontab") is None, reason="needs root and crontab(1)")
def test_the_real_crontab_takes_the_block_and_loses_it_again(machine: Machine) -> None:
    """In a mount namespace of its own, so that this machine's table stays what it is."""
    del machine.environment["DCE_CRONTAB_BIN"]
    run = f"{sys.executable} -m dce_play run schedule --skip-preflight"
    script = f"""set -e
        mount -t tmpfs none /var/spool/cron/crontabs
        printf '# mine\\n1 2 3 4 5 true\\n' | crontab -
        {run} --target demo --at 03:15
        crontab -l
        echo ------
        {run} --remove >/dev/null
        crontab -l
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        cwd=machine.folder,
        env=machine.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, after = done.stdout.split("------\n")
    assert "# BEGIN discord-scrape\n15 03 1 * * cd " in said
    assert after == "# mine\n1 2 3 4 5 true\n"


@pytest.mark.contract("O16")
def test_cron_has_nothing_to_mail_of_a_night_that_went_well(machine: Machine) -> None:
    (machine.folder / "night.yml").write_text("version: 1\nname: night\nsteps: [{report.say: {text: hello}}]\n")
    table = machine.install("--playbook", "night.yml", "--cron", "* * * * *")
    [line] = [line for line in table.splitlines() if line.startswith("* * * * * ")]
    bare = {"HOME": machine.environment["HOME"], "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}

    def cron() -> subprocess.CompletedProcess[str]:
        job = line.removeprefix("* * * * * ").replace("\\%", "%")
        return subprocess.run(["sh", "-c", job], env=bare, capture_output=True, text=True, timeout=60, check=False)

    well = cron()
    assert (well.returncode, well.stdout, well.stderr) == (0, "", "")
    (machine.folder / "night.yml").write_text("version: 1\nname: night\nsteps: [{run.fail: {message: the cat}}]\n")
    badly = cron()
    assert badly.returncode == 1
    assert "the cat" in badly.stdout + badly.stderr
    assert "hello" in (machine.folder / "logs" / "discord-scrape.log").read_text()


@pytest.mark.contract("O16")
def test_a_crontab_that_no_daemon_reads_is_told(machine: Machine) -> None:
    if {"cron", "crond"} & process_names():
        pytest.skip("a cron daemon runs here")

    def said(*words: str) -> str:
        return " ".join(machine.schedule(*words).stdout.split())

    assert "no cron daemon runs here, so nothing will start it" in said("--skip-preflight")
    assert "no cron daemon" in said("--skip-preflight", "--dry-run")
    assert "no cron daemon" not in said("--remove")
