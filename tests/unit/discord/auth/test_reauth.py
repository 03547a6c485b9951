from pathlib import Path

import pytest

from dce_play.discord.auth.discovery import Places
from dce_play.discord.auth.reauth import BadReauthCommand, refresh_token
from dce_play.errors import ExitCode
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker
from tests.support.bounds import lower

OLD = "old-token-canary"


class Desk:
    """A working folder with a token file, an env file and a re-authentication program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token_file = folder / "token"
        self.token_file.write_text(OLD)
        self.token_file.chmod(0o600)
        self.program = folder / "renew.sh"
        self.environment = {"DISCORD_TOKEN_FILE": str(self.token_file), "PATH": "/usr/bin:/bin"}

    def write_program(self, body: str) -> None:
        self.program.write_text(f'#!/bin/sh\necho "$@" > {self.folder}/arguments\n{body}\n')
        self.program.chmod(0o755)
        self.environment["DCE_REAUTH_COMMAND"] = str(self.program)

    def refresh(self, *, interactive: bool = True) -> str | None:
        where = Places(environment=self.environment, folder=self.folder, home=self.folder / "home")
        found = refresh_token(OLD, where, LocalExecutor(self.environment, Masker()), interactive=interactive)
        return found.token if found else None


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.contract("R-11.09", "H-02", "D-25")
def test_a_token_file_that_changed_meanwhile_gives_the_new_token_without_any_program(desk: Desk) -> None:
    desk.write_program("exit 1")
    desk.token_file.write_text("new-token")
    assert desk.refresh() == "new-token"
    assert not (desk.folder / "arguments").exists()


@pytest.mark.contract("R-11.09", "H-03")
def test_the_same_token_again_is_no_new_token(desk: Desk) -> None:
    assert desk.refresh() is None


@pytest.mark.contract("R-11.11", "D-25")
def test_the_program_renews_the_token_and_never_gets_the_old_one(desk: Desk) -> None:
    desk.write_program(f"printf renewed > {desk.token_file}")
    assert desk.refresh() == "renewed"
    assert (desk.folder / "arguments").read_text().strip() == ""


@pytest.mark.contract("R-11.11")
def test_without_a_terminal_the_program_runs_only_when_it_says_that_it_needs_nobody(desk: Desk) -> None:
    desk.write_program(f"printf renewed > {desk.token_file}")
    assert desk.refresh(interactive=False) is None
    desk.environment["DCE_REAUTH_UNATTENDED"] = "1"
    assert desk.refresh(interactive=False) == "renewed"


@pytest.mark.contract("R-11.11")
def test_a_failing_program_is_an_error(desk: Desk) -> None:
    desk.write_program("echo nobody home >&2; exit 3")
    with pytest.raises(BadReauthCommand, match="failed with exit 3"):
        desk.refresh()


@pytest.mark.contract("R-11.11")
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("renew.sh", "not an absolute path"),
        ("{}/gone", "does not exist"),
        ("/bin/true", "outside"),
        ("{}/token", "not executable"),
    ],
)
def test_a_program_that_may_not_be_run_is_refused(desk: Desk, command: str, words: str) -> None:
    desk.environment["DCE_REAUTH_COMMAND"] = command.format(desk.folder)
    with pytest.raises(BadReauthCommand, match=words):
        desk.refresh()


def test_a_program_that_renews_nothing_for_long_is_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lower(monkeypatch, "discord.auth.reauth:_TIMEOUT_S", 0.2)
    desk.write_program("exec sleep 1000")
    with pytest.raises(BadReauthCommand, match=r"was ended after 0.2 s") as ended:
        desk.refresh()
    assert ended.value.hint == f"see why: {desk.program}"
    assert ended.value.exit_code == ExitCode.AUTHENTICATION
