"""``--output jsonl``: every line an event, no number missing, and the end told in every way of failing."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dce_play.resources import schemas_folder
from tests.support.command_line import Said, Terminal, terminal_in

TARGETS = """
archive_root: /nowhere/archive
targets:
  - {name: guild-a, kind: guild, guild_ids: ["123456789012345678"], output_dir: /nowhere/archive/a}
"""

GOOD = "steps: [{report.say: {text: hello}}]"
SECRET = "params: {s: {type: secret, required: true}}\n"

# Each way: what the playbook says after its name, the words of the command line, and the exit code.
WAYS: dict[str, tuple[str, list[str], int]] = {
    "all well": (GOOD, [], 0),
    "dry run": (GOOD, ["--dry-run"], 0),
    "changes pending": ("steps: [{command.run: {argv: [x]}}]", ["--dry-run", "--detailed-exitcode"], 10),
    "a condition fails": ("steps: [{assert.that: {conditions: [false]}}]", [], 1),
    "a program fails": ("steps: [{command.run: {argv: ['false']}}]", [], 1),
    "a program is not there": ("steps: [{command.run: {argv: [no-such-program]}}]", [], 1),
    "a program dies of a signal": ("steps: [{command.run: {argv: [sh, -c, kill -9 $$]}}]", [], 1),
    "a program is too slow": ("steps: [{command.run: {argv: [sleep, '9']}, timeout: 200ms}]", [], 1),
    "the run is too slow": ("steps: [{command.run: {argv: [sleep, '9']}}]", ["--timeout", "1s"], 124),
    "retries are used up": ("steps: [{assert.that: {conditions: [false]}, retries: 2, delay: 0}]", [], 1),
    "until never holds": ('steps: [{report.say: {text: x}, until: "false", retries: 1, delay: 0}]', [], 1),
    "failed_when holds": ('steps: [{report.say: {text: x}, failed_when: "true"}]', [], 1),
    "a rescue fails": (
        "steps: [{block: [{assert.that: {conditions: [false]}}], rescue: [{assert.that: {conditions: [false]}}]}]",
        [],
        1,
    ),
    "always fails": (
        "steps: [{block: [{report.say: {text: x}}], always: [{assert.that: {conditions: [false]}}]}]",
        [],
        1,
    ),
    "a failure is passed over": ("steps: [{assert.that: {conditions: [false]}, on_error: continue}]", [], 1),
    "a rescue helps": (
        "steps: [{block: [{assert.that: {conditions: [false]}}], rescue: [{report.say: {text: x}}]}]",
        [],
        0,
    ),
    "a preflight check fails": ("preflight: [{assert.that: {conditions: [false]}}]\n" + GOOD, [], 4),
    "a loop has two items of one name": ("steps: [{loop: [{name: a}, {name: a}], report.say: {text: x}}]", [], 1),
    "an index is out of range": (
        "vars: {list: [1]}\nsteps: [{loop: [7], report.say: {text: '{{ vars.list[item] | string }}'}}]",
        [],
        1,
    ),
    "a division by zero": ("steps: [{loop: [0], report.say: {text: '{{ (1 / item) | string }}'}}]", [], 1),
    "nobody answers a question": ("steps: [{pause.confirm: {question: Go?}}]", [], 77),
    "nobody confirms": ("steps: [{report.say: {text: x}, confirm: Go?}]", [], 77),
    "nobody steps": (GOOD, ["--step"], 77),
    "a secret is not there": (
        SECRET + "steps: [{command.run: {argv: [env], secret_env: {S: '{{ params.s }}'}}}]",
        ["-e", "s=env:NOPE"],
        1,
    ),
    "a secret is written out": (SECRET + GOOD, ["-e", "s=hunter22"], 2),
    "not YAML": ("steps: [", [], 3),
    "no steps": ("", [], 3),
    "an unknown step": ("steps: [{report.sya: {text: x}}]", [], 3),
    "an unknown keyword": ("steps: [{report.say: {text: x}, wehn: true}]", [], 3),
    "an unknown step param": ("steps: [{report.say: {txet: x}}]", [], 3),
    "an unknown name": ("steps: [{report.say: {text: '{{ paramz.x }}'}}]", [], 3),
    "a wrong type": ("steps: [{assert.that: {conditions: 7}}]", [], 3),
    "a tab": ("steps:\n\t- report.say: {text: x}", [], 3),
    "a missing include": ("steps: [{playbook: gone.yml}]", [], 3),
    "a playbook that runs itself": ("steps: [{playbook: p.yml}]", [], 3),
    "a missing role": ("steps: [{role: gone}]", [], 3),
    "an unknown tag": (GOOD, ["--tags", "nope"], 5),
    "an unknown tag to skip": (GOOD, ["--skip-tags", "nope"], 5),
    "an unknown start": (GOOD, ["--start-at", "nope"], 5),
    "an unknown target": (GOOD, ["--target", "nope", "--config", "targets.yml"], 5),
    "a target without a targets file": (GOOD, ["--target", "guild-a"], 3),
    "a targets file that is not there": (GOOD, ["--config", "gone.yml"], 2),
    "a targets file that is none": (GOOD, ["--config", "p.yml"], 3),
    "a bad channel id": (GOOD, ["--config", "targets.yml", "--channel", "12"], 2),
    "targets wanted and none there": ("steps: [{loop: '{{ targets }}', report.say: {text: x}}]", [], 3),
    "an unknown param": (GOOD, ["-e", "nope=1"], 2),
    "a param of the wrong type": ("params: {n: {type: int, default: 1}}\n" + GOOD, ["-e", "n=x"], 2),
    "a param option of the wrong type": ("params: {n: {type: int, default: 1}}\n" + GOOD, ["--n", "x"], 2),
    "a required param is missing": ("params: {n: {type: int, required: true}}\n" + GOOD, [], 2),
    "a params file that is not there": (GOOD, ["-e", "@gone.yml"], 2),
    "an unknown option": (GOOD, ["--nope"], 2),
    "an option without its value": (GOOD, ["--target"], 2),
    "a bad duration": (GOOD, ["--timeout", "soon"], 2),
    "a log file that cannot be": (GOOD, ["--log-file", "p.yml/x.log"], 2),
    "a state folder that cannot be": (GOOD, ["--state-dir", "p.yml"], 2),
    "a broken plugin": (GOOD, ["--plugins"], 3),
}


@pytest.fixture(scope="module")
def is_event() -> Callable[[dict[str, Any]], None]:
    schema = json.loads((schemas_folder() / "event.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    kinds = {each["properties"]["type"]["const"]: each for each in schema["oneOf"]}

    def check(event: dict[str, Any]) -> None:
        validator.evolve(schema=kinds[event["type"]]).validate(event)

    return check


def check_stream(said: Said, is_event: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Check what holds for every stream, and return its last event."""
    events = said.events
    for event in events:
        is_event(event)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events].index("run.end") == len(events) - 1
    assert events[-1]["exit_code"] == said.code
    return events[-1]


@pytest.mark.parametrize("way", WAYS)
def test_the_stream_is_whole_and_ends_with_the_exit_code(
    way: str, tmp_path: Path, is_event: Callable[[dict[str, Any]], None]
) -> None:
    body, words, code = WAYS[way]
    terminal = terminal_in(tmp_path)
    terminal.write("p.yml", f"name: p\n{body}\n")
    terminal.write("targets.yml", TARGETS)
    if way == "a broken plugin":
        terminal.write("steps/bad.py", "raise RuntimeError('no')\n")
    said = terminal.run("run", "p.yml", "--output", "jsonl", *words)
    assert said.code == code, said.err
    end = check_stream(said, is_event)
    assert end["outcome"] == ("ok" if code in {0, 10} else "interrupted" if code == 124 else "failed")
    assert "Traceback" not in said.err
    assert said.err.strip() or code == 0


def test_a_playbook_that_is_not_there_ends_the_stream_too(
    tmp_path: Path, is_event: Callable[[dict[str, Any]], None]
) -> None:
    said = terminal_in(tmp_path).run("run", "gone", "--output=jsonl")
    assert said.code == 5
    check_stream(said, is_event)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_stream_too(
    number: int, code: int, tmp_path: Path, is_event: Callable[[dict[str, Any]], None]
) -> None:
    terminal = terminal_in(tmp_path)
    terminal.write("p.yml", "name: p\nsteps: [{command.run: {argv: [sleep, '60']}}]\n")
    said = signalled(terminal, number, times=1)
    assert said.code == code
    assert check_stream(said, is_event)["outcome"] == "interrupted"


def test_a_second_signal_ends_it_at_once_and_the_stream_too(
    tmp_path: Path, is_event: Callable[[dict[str, Any]], None]
) -> None:
    terminal = terminal_in(tmp_path)
    script = "trap '' TERM INT; sleep 60 & wait; sleep 60"
    terminal.write("p.yml", f'name: p\nsteps: [{{command.run: {{argv: [sh, -c, "{script}"]}}}}]\n')
    said = signalled(terminal, signal.SIGINT, times=2)
    assert said.code == 130
    assert check_stream(said, is_event)["type"] == "run.end"


def signalled(terminal: Terminal, number: int, *, times: int) -> Said:
    """Run the playbook with a step that does not end, and send signals once it has begun."""
    with subprocess.Popen(
        terminal.argv("run", "p.yml", "--output", "jsonl"),
        cwd=terminal.folder,
        env=terminal.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        begun = ""
        for line in process.stdout:
            begun += line
            if '"step.start"' in line:
                break
        for _ in range(times):
            time.sleep(0.3)  # the second one comes while the first is being obeyed
            process.send_signal(number)
        out, err = process.communicate(timeout=60)
    return Said(code=process.returncode, out=begun + out, err=err)


LOUD = """'''Prints.'''
import os
from dataclasses import dataclass
from dce_play.plugin import Effects, StepResult
NAME, EFFECTS, REPEATABLE, REHEARSABLE = "our.loud", Effects.NONE, True, True
@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    '''None.'''
@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    '''None.'''
def apply(params, ctx, /):
    print("printed", flush=True)
    os.write(1, b"written")
    return StepResult(changed=False, summary="", outputs=Outputs())
"""


def test_what_a_step_prints_itself_stays_out_of_the_stream(
    tmp_path: Path, is_event: Callable[[dict[str, Any]], None]
) -> None:
    terminal = terminal_in(tmp_path)
    terminal.write("one.yml", "name: one\nsteps: [{our.loud: {}}]\n")
    terminal.write("steps/loud.py", LOUD)
    said = terminal.run("run", "one.yml", "--plugins", "--output", "jsonl")
    assert check_stream(said, is_event)["exit_code"] == 0
    assert "printed" in said.err
    assert "written" in said.err


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("output", ["text", "jsonl"])
def test_closed_outputs_do_not_stop_a_run(tmp_path: Path, closed: str, output: str) -> None:
    terminal = terminal_in(tmp_path)
    terminal.write("one.yml", "name: one\n" + GOOD)
    line = " ".join(terminal.argv("run", "one.yml", "--output", output))
    done = subprocess.run(
        ["sh", "-c", f"{line} {closed}"],
        cwd=terminal.folder,
        env=terminal.environment,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)


def test_a_report_that_could_not_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    terminal.write("one.yml", "name: one\nsteps: [{file.write: {path: done, content: x}}]\n")
    said = terminal.run("run", "one.yml", "--report", "json=one.yml/report.json")
    assert said.code == 2
    assert "cannot write the report" in said.err
    assert not (terminal.folder / "done").exists()


@pytest.mark.parametrize(
    ("words", "code"), [(["--channel", "1"], 3), (["--guild", "1"], 3), (["--detailed-exitcode"], 2)]
)
def test_an_option_that_would_mean_nothing_is_refused(tmp_path: Path, words: list[str], code: int) -> None:
    terminal = terminal_in(tmp_path)
    terminal.write("one.yml", "name: one\n" + GOOD)
    assert terminal.run("run", "one.yml", *words).code == code
