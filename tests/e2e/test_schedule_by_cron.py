"""The line that ``schedule`` writes, started by Debian's cron itself, with mail that is delivered to a folder."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.operators import Operator

SENDMAIL = """#!/bin/sh
cat > {mail}/$$.part && mv {mail}/$$.part {mail}/$$.eml
"""
MACHINE = """set -e
mount -t tmpfs none /run
mount -t tmpfs none /var/spool/cron/crontabs
mount -t tmpfs none /etc/cron.d
mount --bind /dev/null /etc/crontab
mount --bind {sbin} /usr/sbin
echo MAILTO=ops@example.org | crontab -
for night in well badly; do
    {dce} run schedule --skip-preflight --playbook $night.yml --job-name $night --cron '* * * * *'
done
crontab -l | sed 's/^[*] [*] [*] [*] [*] /@reboot /' | crontab -
exec /usr/sbin/cron -f
"""


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0 or not Path("/usr/sbin/cron").exists(), reason="needs root and Debian's cron")
@pytest.mark.contract("O16")
def test_cron_mails_the_night_that_failed_and_no_other(tmp_path: Path) -> None:
    """In namespaces of its own: no job of this machine is read, and its tables stay what they are."""
    operator = Operator(tmp_path)
    operator.terminal.write("well.yml", "version: 1\nname: well\nsteps: [{report.say: {text: hello}}]\n")
    operator.terminal.write("badly.yml", "version: 1\nname: badly\nsteps: [{run.fail: {message: the cat}}]\n")
    mail, sbin = tmp_path / "mail", tmp_path / "sbin"
    mail.mkdir()
    sbin.mkdir()
    shutil.copy("/usr/sbin/cron", sbin)
    (sbin / "sendmail").write_text(SENDMAIL.format(mail=mail))
    (sbin / "sendmail").chmod(0o755)
    script = MACHINE.format(sbin=sbin, dce=f"{sys.executable} -m dce_play")
    said = tmp_path / "said.txt"
    with said.open("wb") as out:
        machine = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script],
            cwd=operator.folder,
            env=operator.terminal.environment | {"HOME": str(tmp_path)},
            stdout=out,
            stderr=out,
        )
    try:
        while not _is_over(machine, operator.folder, mail):
            assert machine.poll() is None, said.read_text()
            time.sleep(0.05)
    finally:
        machine.kill()
        machine.wait()
    (letter,) = [path.read_text() for path in mail.glob("*.eml")]
    assert "To: ops@example.org" in letter
    assert "the cat" in letter


def _is_over(machine: "subprocess.Popen[bytes]", folder: Path, mail: Path) -> bool:
    """Return whether the letter is there, the other night was run, and cron looks after no job any more."""
    log = folder / "logs" / "discord-scrape.log"
    if not list(mail.glob("*.eml")) or not log.exists() or "hello" not in log.read_text():
        return False
    (cron,) = _children(machine.pid)
    return not _children(cron)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
