"""Every option that names an output file, with a FIFO, a link, a full device and a missing folder under the name."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.channel_files import write_channel
from tests.support.command_line import Terminal, terminal_in

pytestmark = pytest.mark.contract("F-L8")

SAY = """\
    name: say
    steps:
      - report.say: {text: "hello"}
    """
WRITE = """\
    name: write
    params:
      to: {type: str, required: true}
    steps:
      - file.write: {path: "{{ params.to }}", content: "hello"}
    """
PRINT = """\
    name: print
    params:
      to: {type: str, required: true}
    steps:
      - command.run: {argv: [echo, hello], stdout: "{{ params.to }}"}
    """
CHANNEL = "root/t/Fixture Guild - fixture-room [333333333333333333].json"
WORDS = {
    "report": ["run", "say.yml", "--report", "json=OUT"],
    "log": ["run", "say.yml", "--log-file", "OUT"],
    "snapshot": ["archive", "snapshot", "root", "--output", "OUT"],
    "summary": ["summary", "--from-log", "a.log", "--recover-to", "OUT"],
    "file.write": ["run", "write.yml", "-e", "to=OUT"],
    "command.run": ["run", "print.yml", "-e", "to=OUT"],
}
"""The command lines whose output goes to OUT, and what may be written to a FIFO."""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path)
    made.write("say.yml", SAY)
    made.write("write.yml", WRITE)
    made.write("print.yml", PRINT)
    write_channel(made.folder / CHANNEL, [1, 2], channel_id="333333333333333333")
    summary = {"version": 1, "run_id": "r", "channels": [], "totals": {}}
    made.write("a.log", f"DCE_JSON_SUMMARY: {json.dumps(summary)}\n")
    return made


def words(option: str, out: Path) -> list[str]:
    return [word.replace("OUT", str(out)) for word in WORDS[option]]


@pytest.mark.parametrize("option", WORDS)
def test_a_fifo_is_written_through_and_stays(terminal: Terminal, option: str) -> None:
    pipe = terminal.folder / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["timeout", "60", "cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        said = terminal.run(*words(option, pipe))
        got, _ = reader.communicate(timeout=60)
    assert said.code == 0, said.err
    assert got
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


@pytest.mark.parametrize("option", WORDS)
def test_a_link_is_followed_and_stays(terminal: Terminal, option: str) -> None:
    (terminal.folder / "link").symlink_to("real")
    said = terminal.run(*words(option, terminal.folder / "link"))
    assert said.code == 0, said.err
    assert (terminal.folder / "link").is_symlink()
    assert (terminal.folder / "real").stat().st_size > 0


@pytest.mark.parametrize("option", WORDS)
def test_a_full_disk_is_told_and_fails(terminal: Terminal, option: str) -> None:
    said = terminal.run(*words(option, Path("/dev/full")))
    assert said.code == 1, said.err
    assert "/dev/full" in said.err + said.out or option == "command.run"
    assert "no space left" in (said.err + said.out).lower()
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("verb", ["merge", "salvage", "export"])
def test_a_channel_file_never_takes_the_place_of_a_fifo(terminal: Terminal, verb: str) -> None:
    pipe = terminal.folder / "pipe"
    os.mkfifo(pipe)
    part = str(terminal.folder / CHANNEL)
    line = {
        "merge": ["archive", "merge", part, part, "--into", str(pipe), "--overwrite"],
        "salvage": ["archive", "salvage", part, "--into", str(pipe)],
        "export": ["export", "333333333333333333", "--output", str(pipe)],
    }[verb]
    said = terminal.run(*line)
    assert said.code in {1, 2}, said.err
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_the_env_file_may_be_a_link(terminal: Terminal) -> None:
    (terminal.folder / "scrape.env").symlink_to("home/scrape.env")
    said = terminal.run("auth", "set", stdin="MTExMTExMTExMTExMTExMTEx.AAAAAA.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n")
    assert said.code == 0, said.err
    real = terminal.folder / "home" / "scrape.env"
    assert (terminal.folder / "scrape.env").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert "DISCORD_TOKEN=MTEx" in real.read_text(encoding="utf-8")
