"""The top of the command line: what it costs to start, and how errors come out."""

import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from benchmarks.generate import write_export
from dce_play import __version__
from dce_play.cli.app.commands import COMMANDS
from tests.support.command_line import Terminal, terminal_in

HEAVY = (
    "jsonschema",
    "invoke",
    "jinja2",
    "ruamel",
    "httpx2",
    "rich",
    "starlette",
    "uvicorn",
    "psutil",
    "filelock",
    "simdjson",
    "msgspec",
    "cryptography",
    "ijson",
)


NEEDLESS = {
    "archive cursor room.json": (
        *("difflib", "html", "logging", "shutil", "subprocess", "filelock"),
        *("dce_play.source", "dce_play.events", "dce_play.plugin", "dce_play.playbook", "dce_play.discord.targets"),
        *("dce_play.cli.app.misuse", "dce_play.render"),
    ),
    "lock status --root .": (
        *("difflib", "hashlib", "html", "logging", "shutil", "subprocess", "filelock"),
        *("dce_play.source", "dce_play.events", "dce_play.plugin", "dce_play.playbook", "dce_play.system.process"),
        *("dce_play.discord.targets.model", "dce_play.discord.targets.parse", "dce_play.cli.app.targets_file"),
    ),
    "runs list": (
        *("difflib", "glob", "hashlib", "html", "logging", "shutil", "subprocess", "filelock", "traceback"),
        *("dce_play.plugin", "dce_play.playbook", "dce_play.discord.targets.model", "dce_play.discord.targets.parse"),
        *("dce_play.history.story", "dce_play.cli.run.options", "dce_play.runner.engine"),
    ),
    "backup list": (
        *("ruamel", "boto3", "pyrage", "httpx2", "difflib", "subprocess", "tempfile", "filelock"),
        *("dce_play.playbook.document.document", "dce_play.backup.engines", "dce_play.backup.service"),
        *("dce_play.system.process", "dce_play.cli.app.misuse"),
    ),
    "run hello.yml": (
        *("html", "dce_play.runner.in_turn", "dce_play.runner.fan_out.jobs", "dce_play.cli.fan_out.brief"),
        *("dce_play.runner.dry_run.guard", "dce_play.cli.app.targets_file", "ctypes"),
        *("dce_play.cli.app.misuse", "dce_play.runner.resume", "dce_play.runner.record.folders", "difflib", "shutil"),
        *("dce_play.render.log_file", "dce_play.render.narrate", "dce_play.render.page.failures"),
        *("dce_play.playbook.document.yaml_words", "jsonschema"),
    ),
    "lint --no-cache hello.yml": (
        *("jsonschema", "referencing", "rpds", "dce_play.playbook.document.yaml_words", "dce_play.runner.engine"),
    ),
}
"""What each of the commands that scripts call often has no use for: our modules with all below them, and Python's."""


def imported(terminal: Terminal, *words: str) -> set[str]:
    """Return the top-level packages that a command imports."""
    return {name.partition(".")[0] for name in modules_of(terminal, *words)}


def modules_of(terminal: Terminal, *words: str) -> set[str]:
    """Return the modules that a command imports."""
    return imports_of(terminal, "-m", "dce_play", *words)


def imports_of(terminal: Terminal, *words: str) -> set[str]:
    """Return the modules that Python imports for what it is told to run."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words],
        env=terminal.environment,
        cwd=terminal.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize("command", NEEDLESS)
def test_a_command_that_scripts_call_often_imports_nothing_needless(command: str, tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    write_export(terminal.folder / "room.json", range(1))
    (terminal.folder / "hello.yml").write_text("name: hello\nsteps: [{assert.that: {conditions: [true]}}]\n")
    # Since Python 3.13 its pathlib brings glob: not ours to spare, as there is no command without a path.
    found = modules_of(terminal, *command.split()) - imports_of(terminal, "-c", "import pathlib")
    needless = NEEDLESS[command]
    assert not {name for name in found if any(name == each or name.startswith(f"{each}.") for each in needless)}


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["version"], ["completion", "bash"]])
def test_a_command_that_runs_nothing_imports_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    assert not imported(terminal_in(tmp_path), *words) & set(HEAVY)


def test_a_playbook_that_was_read_before_runs_with_jinja_and_a_lock_and_nothing_else_heavy(
    tmp_path: Path,
) -> None:
    terminal = terminal_in(tmp_path)
    hello = str(Path(__file__).parents[4] / "examples" / "hello.yml")
    assert terminal.run("run", hello).code == 0
    assert imported(terminal, "run", hello) & set(HEAVY) == {"jinja2", "filelock"}


def test_a_list_of_backups_whose_modules_were_read_before_needs_no_reader_of_yaml(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    terminal.write("backup.yml", f"version: 1\nbackup_root: {tmp_path}/root\nmodules: [{{name: a, class: E}}]\n")
    assert terminal.run("backup", "list").code == 0
    assert imported(terminal, "backup", "list") & {*HEAVY, "boto3", "pyrage", "subprocess"} == {"msgspec"}


def test_the_version_is_told_without_click(tmp_path: Path) -> None:
    assert "click" not in imported(terminal_in(tmp_path), "--version")


def test_there_is_one_version(tmp_path: Path) -> None:
    written = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text(encoding="utf-8"))
    assert written["project"]["version"] == __version__ == metadata.version("dce-play")
    assert terminal_in(tmp_path).run("--version").out == f"dce-play {__version__}\n"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_loads_and_explains_itself(name: str, tmp_path: Path) -> None:
    said = terminal_in(tmp_path).run(name, "--help")
    assert said.code == 0, said.err
    assert said.out.startswith(f"Usage: dce-play {name}")


def test_a_misspelt_command_is_named_and_the_nearest_suggested(tmp_path: Path) -> None:
    said = terminal_in(tmp_path).run("rnu")
    assert said.code == 2
    assert 'no command "rnu"' in said.err
    assert "run" in said.err


def test_a_reader_that_goes_away_is_no_bug(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        terminal.argv("--help"),
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=terminal.environment,
        cwd=terminal.folder,
        check=False,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("name", ["x" * 300, "dir", "loop", "missing/x", "/proc/self/mem"])
@pytest.mark.parametrize(
    "words",
    [("run", "@"), ("targets", "check", "--config", "@"), ("archive", "cursor", "@")],
)
def test_a_path_that_cannot_be_used_is_an_error_and_no_bug(tmp_path: Path, words: tuple[str, ...], name: str) -> None:
    terminal = terminal_in(tmp_path)
    (terminal.folder / "dir").mkdir()
    (terminal.folder / "loop").symlink_to("loop")
    said = terminal.run(*(name if word == "@" else word for word in words))
    assert 0 <= said.code <= 5, said.err
    assert "bug" not in said.out + said.err
    assert "Traceback" not in said.out + said.err


def test_a_playbook_whose_name_is_no_utf_8_can_be_linted(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    name = os.fsdecode(b"caf\xe9.yml")
    head = "# yaml-language-server: $schema=playbook.schema.json\n"
    terminal.write(name, head + "name: x\nsteps: [{report.say: {text: hello}}]\n")
    assert terminal.run("lint", name).code == 0


def test_a_bug_is_exit_70_with_its_traceback_in_a_file(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    script = (
        "import sys; from dce_play.cli.app import commands, main\n"
        "commands.COMMANDS['boom'] = commands.CommandEntry('tests.unit.cli.app.test_main:TERMINAL', 'x')\n"
        "sys.exit(main.main(['boom']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=terminal.environment,
        cwd=terminal.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 70
    assert "Traceback" not in done.stderr
    crashes = list((terminal.folder / "state" / "crashes").iterdir())
    assert len(crashes) == 1
    assert "Traceback" in crashes[0].read_text(encoding="utf-8")
