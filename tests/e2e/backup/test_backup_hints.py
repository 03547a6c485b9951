"""What a backup command says to type is typed as it stands, and finds what that command found."""

import re
import shlex
from pathlib import Path

import pytest

from tests.support.backups import Yard, yard_in
from tests.support.command_line import Said


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Give a yard whose definitions and backups lie where nobody looks unless told to."""
    yard = yard_in(tmp_path)
    (yard.terminal.folder / "backup.yml").rename(yard.terminal.folder / "my modules.yml")
    return yard


PLACES = ("--modules", "my modules.yml", "--backup-root", "other place")


def typed(yard: Yard, said: str, *more: str) -> Said:
    """Type the one backup command that was said."""
    (command,) = re.findall(r"dce-play (backup .+)", said)
    assert "--modules 'my modules.yml'" in command
    return yard.terminal.run(*shlex.split(command), *more)


def test_require_says_how_the_backup_that_it_misses_is_taken(yard: Yard) -> None:
    missing = yard.run("require", "kuma", *PLACES)
    assert missing.code == 4
    assert typed(yard, missing.err, "--allow-unattended").code == 0
    assert yard.run("require", "kuma", *PLACES).code == 0
    assert yard.ask("require", "kuma", *PLACES, "--min-level", "3")[0] == 4
    assert typed(yard, yard.ask("require", "kuma", *PLACES, "--min-level", "3")[1]["hint"]).code == 0
    assert yard.run("require", "kuma", *PLACES, "--min-level", "3").code == 0


def test_a_restore_that_is_only_planned_says_how_it_is_done(yard: Yard) -> None:
    yard.take(*PLACES)
    planned = yard.run("restore", "kuma@latest", *PLACES)
    assert planned.code == 0
    refused = typed(yard, planned.out)
    assert (refused.code, "no such" in refused.err) == (77, False), refused  # a person is needed; all else was found


def test_a_step_says_it_with_its_own_places(yard: Yard) -> None:
    params = "{module: kuma, modules: 'my modules.yml', backup_root: 'other place'}"
    yard.terminal.write("demand.yml", f"name: demand\nsteps: [{{backup.require: {params}}}]\n")
    missing = yard.terminal.run("run", "demand.yml")
    assert missing.code != 0
    assert typed(yard, missing.out + missing.err, "--allow-unattended").code == 0
    assert yard.terminal.run("run", "demand.yml").code == 0
