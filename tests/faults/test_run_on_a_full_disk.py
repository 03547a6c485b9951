"""Runs whose record has no room, on a real file system that is full sooner or later: each still ends as a run ends."""

import shlex
from pathlib import Path

import pytest

from tests.support.command_line import Terminal, terminal_in
from tests.support.small_file_system import enlarge, small_file_system

ENOUGH = 12


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    terminal = terminal_in(tmp_path)
    says = "".join(f"  - report.say: {{text: {'x' * 400} {number}}}\n" for number in range(ENOUGH))
    terminal.write("say.yml", f"version: 1\nname: say\nsteps:\n{says}  - command.run: {{argv: ['true']}}\n")
    (terminal.folder / "state").mkdir()
    return terminal


@pytest.mark.root
@pytest.mark.parametrize("limit", ["size=4096", "size=8192", "size=16384", "nr_inodes=5", "nr_inodes=6"])
def test_a_run_without_room_for_its_record_ends_with_its_last_event(terminal: Terminal, limit: str) -> None:
    """Not with a traceback, and not as a bug: a full disk is foreseen. With room again it resumes."""
    state = terminal.folder / "state"
    with small_file_system(state, limit):
        said = terminal.run("run", "say.yml", "--output", "jsonl")
        end = said.events[-1]
        assert (end["type"], end["outcome"], end["exit_code"]) == ("run.end", "failed", said.code)
        assert said.code in {1, 2}, said.err
        assert "no space left on device" in end["error"]["message"].lower()
        assert "room" in end["error"]["hint"]
        assert "Traceback" not in said.out + said.err
        if end["next_command"]:
            enlarge(state)
            resumed = terminal.run(*shlex.split(end["next_command"])[1:])
            assert (resumed.code, resumed.events[-1]["outcome"]) == (0, "ok"), resumed.err
