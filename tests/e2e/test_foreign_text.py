"""Text that somebody else wrote reaches no terminal and no log with a control character in it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.channel_files import write_channel
from tests.support.command_line import Terminal, terminal_in

pytestmark = pytest.mark.contract("F-S4")

NASTY = "\x1b]0;title\x07\x1b[2J\x08\x7f\x9b31m\u202edrow\u2066\u200b\r"
RAW = re.compile(
    rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b\x8e\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf"
)
CHANNEL = "333333333333333333"


def raw_output(terminal: Terminal, *words: str | bytes) -> bytes:
    """Return both streams of a command as they are."""
    argv = [*map(os.fsencode, terminal.argv()), *(os.fsencode(word) for word in words)]
    done = subprocess.run(
        argv, cwd=terminal.folder, env=terminal.environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode != 70, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path)
    (made.folder / "broken.yml").write_bytes(
        b"name: broken\nsteps:\n  - \xff\x1b[31m\x07\x00: " + NASTY.encode() + b"\n"
    )
    made.write("odd.yml", f'name: "odd {NASTY!a}"\n'.replace("'", "") + "steps:\n  - report.say: {text: x}\n")
    key = NASTY.replace("\x00", "").replace("\r", "")
    (made.folder / "keys.yml").write_text(f"name: x\nsteps:\n  - report.sai{key}: {{text: y}}\n", encoding="utf-8")
    folder = made.folder / f"root{NASTY}"
    write_channel(folder / "t" / f"g - c{NASTY} [{CHANNEL}].json", [1], channel_id=CHANNEL)
    (folder / "t" / f"g - d{NASTY} [444444444444444444].json").write_bytes(b'{"guild": \x1b[31m')
    (made.folder / os.fsdecode(b"raw\xff\x1b[31m.yml")).write_text("name: [", encoding="utf-8")
    return made


@pytest.mark.parametrize(
    "words",
    [
        ["lint", "broken.yml"],
        ["lint", "keys.yml"],
        ["lint", "."],
        ["lint", ".", "--format", "json"],
        ["run", "broken.yml"],
        ["run", "odd.yml", "--verbose"],
        ["run", "odd.yml", "--output", "jsonl"],
        ["run", f"no{NASTY}.yml"],
        ["plan", "odd.yml"],
        ["plan", "odd.yml", "--format", "json"],
        ["archive", "audit", f"root{NASTY}"],
        ["archive", "audit", f"root{NASTY}", "--format", "json"],
        ["archive", "stats", f"root{NASTY}"],
        ["archive", "salvage", "--root", f"root{NASTY}", "--dry-run"],
        ["archive", "snapshot", f"root{NASTY}", "--output", f"s{NASTY}.json"],
        ["lock", "status", "--root", f"root{NASTY}"],
        [f"comm{NASTY}and"],
        ["run", b"raw\xff\x1b[31m.yml"],
        ["summary", f"none{NASTY}"],
    ],
    ids=lambda words: ascii(words[:2]),
)
def test_no_command_sends_a_control_character(terminal: Terminal, words: list[str | bytes]) -> None:
    assert RAW.findall(raw_output(terminal, *words)) == []


def test_no_log_has_a_control_character(terminal: Terminal) -> None:
    script = r"printf '\\033]0;t\\007 \\377 \\302\\233 x end\\n'"
    terminal.write("say.yml", f'name: say\nsteps:\n  - command.run: {{argv: [sh, -c, "{script}"]}}\n')
    out = raw_output(terminal, "run", "say.yml", "--log-file", "log.txt")
    assert RAW.findall(out + (terminal.folder / "log.txt").read_bytes()) == []
    assert b" end" in out


def test_the_caret_stands_under_what_is_wrong_also_behind_what_is_not_seen(terminal: Terminal) -> None:
    text = 'name: x\nsteps:\n  - {name: "a\u202e\u200bb", report.sai: {text: y}}\n'
    (terminal.folder / "caret.yml").write_text(text, encoding="utf-8")
    lines = terminal.run("lint", "caret.yml").out.splitlines()
    at = next(number for number, line in enumerate(lines) if " 3 | " in line)
    assert lines[at + 1].index("^") == lines[at].index("report.sai")
