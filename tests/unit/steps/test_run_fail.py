"""A rescue that tidied up can fail the run again, and one that does not is told in the recap."""

from pathlib import Path

import pytest

from tests.support.command_line import Terminal, terminal_in

pytestmark = pytest.mark.contract("F-L11")

PLAYBOOK = """\
    name: rescue
    steps:
      - block:
          - command.run: {{argv: [sh, -c, "echo the token is refused >&2; exit 7"]}}
        rescue:
          - report.say: {{text: tidied}}{again}
      - report.say: {{text: after}}
    """
AGAIN = '\n          - run.fail: {message: "fetch: {{ failure.message }}", hint: "renew it"}'


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return terminal_in(tmp_path)


def test_a_rescue_that_fails_again_fails_the_run(terminal: Terminal) -> None:
    terminal.write("play.yml", PLAYBOOK.format(again=AGAIN))
    said = terminal.run("run", "play.yml", "--output", "jsonl")
    end = said.events[-1]
    assert (said.code, end["exit_code"]) == (1, 1)
    assert end["error"] | {"kind": ""} == {
        "kind": "",
        "message": "fetch: sh ended with exit code 7",
        "hint": "renew it",
    }
    assert not [event for event in said.events if event.get("text") == "after"]


def test_a_rescue_that_does_not_is_counted_in_the_recap_and_in_the_last_event(terminal: Terminal) -> None:
    terminal.write("play.yml", PLAYBOOK.format(again=""))
    text, machine = terminal.run("run", "play.yml"), terminal.run("run", "play.yml", "--output", "jsonl")
    assert (text.code, machine.code) == (0, 0)
    assert "1 step rescued" in text.out.splitlines()[-2]
    assert machine.events[-1]["counts"]["rescued"] == 1
