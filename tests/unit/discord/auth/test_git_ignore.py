"""A file of secrets is not one ``git add .`` away from being published."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from dce_play.discord.auth.git_ignore import add_lines, loose_secrets, would_be_added
from tests.support.bounds import at_most
from tests.support.command_line import Terminal, terminal_in

pytestmark = pytest.mark.contract("F-S5")

TOKEN = "MTExMTExMTExMTExMTExMTEx.AAAAAA.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path)
    (made.folder / ".git" / "info").mkdir(parents=True)
    (made.folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    return made


def test_auth_set_in_a_repository_keeps_the_file_out_of_it(terminal: Terminal) -> None:
    terminal.write(".gitignore", "*.tmp")
    assert terminal.run("auth", "set", stdin=f"{TOKEN}\n").code == 0
    assert (terminal.folder / ".gitignore").read_text(encoding="utf-8") == "*.tmp\nscrape.env\n"
    assert stat.S_IMODE((terminal.folder / "scrape.env").stat().st_mode) == 0o600


def test_init_has_git_leave_out_secrets_archives_and_logs_and_keeps_what_is_there(terminal: Terminal) -> None:
    terminal.write(".gitignore", "mine\n/scrape.env\n")
    assert terminal.run("init").code == 0
    assert terminal.run("init").code == 0
    lines = (terminal.folder / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert lines == ["mine", "/scrape.env", ".discord-token", "archives/", "logs/", "*.log"]


def test_lint_warns_of_a_file_of_secrets_that_git_would_take_or_others_can_read(terminal: Terminal) -> None:
    terminal.write("say.yml", "name: say\nsteps:\n  - report.say: {text: hello}\n")
    path = terminal.write("scrape.env", f"DISCORD_TOKEN={TOKEN}\n")
    path.chmod(0o644)
    said = terminal.run("lint", "say.yml")
    assert said.code == 0
    assert "can be read by others (mode 0644)" in said.err
    assert "git add would take it in" in said.err
    assert terminal.run("lint", "say.yml", "--strict").code == 3
    path.chmod(0o600)
    terminal.write(".gitignore", "scrape.env\n")
    assert "scrape.env" not in terminal.run("lint", "say.yml").err


CASES = {
    "scrape.env": True,
    "/scrape.env": True,
    "*.env": True,
    "scrape.*": True,
    "lab/": True,
    "lab/scrape.env": True,
    "**/scrape.env": True,
    "#scrape.env": False,
    "other.env": False,
    "scrape.env\n!scrape.env": False,
    "": False,
}


@pytest.mark.parametrize("lines", CASES)
def test_what_ignore_files_say_is_read_as_git_reads_it(tmp_path: Path, lines: str) -> None:
    place = tmp_path / "repository" / "lab"
    place.mkdir(parents=True)
    (place / "scrape.env").write_text("x", encoding="utf-8")
    where = place if lines == "/scrape.env" else place.parent
    (where / ".gitignore").write_text(lines, encoding="utf-8")
    if shutil.which("git"):
        subprocess.run(["git", "init", "-q", place.parent], check=True, timeout=30)
        asked = subprocess.run(
            ["git", "-C", place, "check-ignore", "-q", "scrape.env"], check=False, timeout=30, capture_output=True
        )
        assert (asked.returncode == 0) is CASES[lines]
    else:
        (place.parent / ".git").mkdir()
    assert would_be_added(place / "scrape.env") is not CASES[lines]


def test_outside_of_a_repository_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "scrape.env").write_text("x", encoding="utf-8")
    (tmp_path / "scrape.env").chmod(0o600)
    assert list(loose_secrets(tmp_path)) == []


@pytest.mark.contract("F-S5")
@pytest.mark.parametrize("there", [b"# \xff\xfe no UTF-8\n*.tmp", b"*.tmp\n" * 300_000], ids=["bytes", "long"])
def test_what_stands_in_a_gitignore_stays_byte_for_byte(tmp_path: Path, there: bytes) -> None:
    (tmp_path / ".gitignore").write_bytes(there)
    assert add_lines(tmp_path / ".gitignore", ("scrape.env",))
    after = (tmp_path / ".gitignore").read_bytes()
    assert after == there.rstrip(b"\n") + b"\nscrape.env\n"


@pytest.mark.parametrize("beyond", [0, 1])
def test_of_a_gitignore_so_much_is_read(tmp_path: Path, beyond: int) -> None:
    (tmp_path / ".git").mkdir()
    secret = tmp_path / "scrape.env"
    secret.touch(mode=0o600)
    line = b"\nscrape.env"
    padding = at_most("discord.auth.git_ignore:_LARGEST") - len(line) + beyond
    (tmp_path / ".gitignore").write_bytes(b"#" * padding + line)
    assert would_be_added(secret) == bool(beyond)  # what is not read keeps nothing out: it is warned of
