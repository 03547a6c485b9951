"""Where our own records cannot be kept, archives are read all the same, and that is told once."""

from pathlib import Path

import pytest

from tests.support.channel_files import write_channel
from tests.support.command_line import Terminal, terminal_in

pytestmark = pytest.mark.contract("F-L9")


@pytest.fixture(params=["a file", "below a file", "full"])
def terminal(tmp_path: Path, request: pytest.FixtureRequest) -> Terminal:
    place = {"a file": "stone", "below a file": "stone/state", "full": "/proc/nowhere"}[request.param]
    state = str(tmp_path / "work" / place) if not place.startswith("/") else place
    made = terminal_in(tmp_path, DCE_PLAY_STATE_DIR=state)
    made.write("stone", "")
    for number in (1, 2, 3):
        name = f"Fixture Guild - room [33333333333333333{number}].json"
        write_channel(made.folder / "root" / "t" / name, [1, 2], channel_id=f"33333333333333333{number}")
    return made


@pytest.mark.parametrize("words", [["archive", "audit", "root"], ["archive", "audit", "root", "--full", "--jobs", "2"]])
def test_sound_files_are_sound_without_an_index(terminal: Terminal, words: list[str]) -> None:
    said = terminal.run(*words)
    assert (said.code, said.out.count("INVALID")) == (0, 0), said.out + said.err
    assert said.err.count("going on without the audit's index") == 1


def test_a_snapshot_and_a_proof_need_no_records(terminal: Terminal) -> None:
    taken = terminal.run("archive", "snapshot", "root", "--output", "before.json")
    proved = terminal.run("archive", "prove", "before.json", "root")
    assert (taken.code, proved.code) == (0, 0), taken.err + proved.err
    assert taken.err.count("going on without kept fingerprints") == 1
