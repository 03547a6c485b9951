"""``run``, ``resume`` and ``runs`` as an operator types them."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.command_line import Terminal, terminal_in
from tests.support.processes import eventually

GREET = """
name: greet
summary: Greet somebody
params:
  who: {type: str, default: world, help: Whom to greet, env: GREET_WHO}
  loud: {type: bool, default: false, help: Shout}
  count: {type: int, default: 1, min: 1, max: 3}
  colours: {type: list, default: []}
  output: {type: str, default: reserved}
steps:
  - report.say:
      text: >-
        hello {{ params.who }} {{ params.loud | string }} {{ params.count | string }} {{ params.colours | join('+') }}
"""

LOGGED = "name: p\nsteps:\n  - command.run: {argv: [sh, -c, 'echo x >> log']}\n"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path)
    made.write("greet.yml", GREET.replace("  output: {type: str, default: reserved}\n", ""))
    return made


def said(terminal: Terminal, *words: str) -> str:
    done = terminal.run("run", *words)
    assert done.code == 0, done.err
    return next(line.strip(" │") for line in done.out.splitlines() if "hello" in line)


def test_params_are_options_and_the_last_word_has_the_option(terminal: Terminal) -> None:
    terminal.write("values.yml", "who: file\ncount: 2\n")
    assert said(terminal, "greet.yml") == "hello world false 1"
    assert said(terminal, "greet", "--who", "me", "--loud") == "hello me true 1"
    assert said(terminal, "greet", "-e", "@values.yml", "-e", "who=extra", "--no-loud") == "hello extra false 2"
    assert said(terminal, "greet", "--colours", "red", "--colours", "a,b") == "hello world false 1 red+a,b"
    assert said(terminal, "greet", "-e", "loud=false", "-e", "colours=x,y") == "hello world false 1 x+y"


def test_the_environment_counts_more_than_the_default(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path, GREET_WHO="env")
    terminal.write("greet.yml", GREET.replace("  output: {type: str, default: reserved}\n", ""))
    assert said(terminal, "greet") == "hello env false 1"
    assert said(terminal, "greet", "-e", "who=me") == "hello me false 1"


def test_help_shows_the_params_and_runs_nothing(terminal: Terminal) -> None:
    text = terminal.run("run", "greet", "--help").out
    assert "Params of the playbook:" in text
    assert "--who STR" in text
    assert "Whom to greet" in text
    assert "--loud / --no-loud" in text
    assert terminal.runs() == []


def test_completion_knows_playbooks_and_their_params(terminal: Terminal) -> None:
    def completed(*words: str) -> list[str]:
        line = " ".join(("dce-play", *words))
        variables = {"COMP_WORDS": line, "COMP_CWORD": str(len(words)), "_DCE_PLAY_COMPLETE": "bash_complete"}
        done = subprocess.run(
            terminal.argv(),
            env=terminal.environment | variables,
            cwd=terminal.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return [each.partition(",")[2] for each in done.stdout.splitlines()]

    assert "--who" in completed("run", "greet", "--w")
    assert "proof" in completed("run", "pro")


def test_a_list_of_no_runs_says_so_and_prints_nothing(terminal: Terminal) -> None:
    said = terminal.run("runs", "list")
    assert (said.code, said.out, said.err) == (0, "", "no runs yet\n")


@pytest.mark.parametrize(
    "words", [["--output"], ["greet", "--tags", "typo"], ["greet", "--start-at", "typo"], ["greet", "-e", "typo=1"]]
)
def test_a_typo_runs_nothing_and_takes_no_lock(terminal: Terminal, words: list[str]) -> None:
    assert terminal.run("run", *words).code in {2, 5}
    assert terminal.runs() == []


def test_list_steps_lists_and_stops(terminal: Terminal) -> None:
    assert terminal.run("run", "greet", "--list-steps").out == "report.say  report.say\n"
    assert terminal.runs() == []


def test_a_run_leaves_journal_report_and_log(terminal: Terminal) -> None:
    done = terminal.run("run", "greet", "--log-file", "logs/run.log", "--report", "json=out/report.json")
    assert done.code == 0
    (folder,) = terminal.runs()
    assert {path.name for path in folder.iterdir()} == {"events.jsonl", "definition.json", "report.json", "scratch"}
    assert json.loads((terminal.folder / "out/report.json").read_text())["outcome"] == "ok"
    assert "hello world" in (terminal.folder / "logs/run.log").read_text()


def test_people_read_standard_error_when_standard_output_is_for_programs(terminal: Terminal) -> None:
    done = terminal.run("run", "greet", "--output", "jsonl")
    assert "hello world" in done.err
    assert all(line.startswith("{") for line in done.out.splitlines())


def test_a_reader_that_goes_away_does_not_end_the_run_nor_change_its_exit_code(terminal: Terminal) -> None:
    terminal.write("p.yml", LOGGED + "  - report.say: {text: more}\n  - assert.that: {conditions: [false]}\n")
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        terminal.argv("run", "p", "--output", "jsonl"),
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        env=terminal.environment,
        cwd=terminal.folder,
        check=False,
    )
    os.close(theirs)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert (terminal.folder / "log").read_text() == "x\n"


def test_resume_goes_on_and_refuses_what_changed(terminal: Terminal) -> None:
    text = LOGGED + "  - command.run: {argv: [test, -e, flag]}\n"
    playbook = terminal.write("p.yml", text)
    first = terminal.run("run", "p")
    assert first.code == 1
    assert f"next: dce-play resume {terminal.runs()[0].name}" in first.out
    terminal.write("flag", "")
    playbook.write_text(text.replace("-e, flag", "-f, flag"), encoding="utf-8")
    refused = terminal.run("resume")
    assert refused.code == 6
    assert "+  - command.run: {argv: [test, -f, flag]}" in refused.err
    assert terminal.run("resume", "--accept-changes").code == 0
    assert (terminal.folder / "log").read_text() == "x\n"
    assert len(terminal.runs()) == 1
    assert terminal.run("resume").code == 5


def test_a_run_that_is_killed_is_lost_and_then_resumed(terminal: Terminal) -> None:
    terminal.write(
        "p.yml",
        LOGGED + "  - command.run: {argv: [sh, -c, 'test -e flag || sleep 60']}\n",
    )
    with subprocess.Popen(
        terminal.argv("run", "p"),
        env=terminal.environment,
        cwd=terminal.folder,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert eventually(
            lambda: (bool(terminal.runs()) and "sleep" in _journal(terminal)) or '"index":2' in _journal(terminal)
        )
        assert " running " in terminal.run("runs", "list").out
        process.kill()
    assert eventually(lambda: " lost " in terminal.run("runs", "list").out)
    terminal.write("flag", "")
    assert terminal.run("resume").code == 77
    assert terminal.run("resume", "--repeat").code == 0
    assert (terminal.folder / "log").read_text() == "x\n"
    states = [json.loads(line) for line in _journal(terminal).splitlines()]
    assert [each["outcome"] for each in states if each["type"] == "run.end"] == ["lost", "failed", "ok"]


def _journal(terminal: Terminal) -> str:
    runs = terminal.runs()
    path = runs[0] / "events.jsonl" if runs else terminal.folder / "none"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def test_runs_are_shown_and_pruned(terminal: Terminal) -> None:
    for _ in range(3):
        terminal.run("run", "greet")
        time.sleep(0.01)
    assert len(terminal.run("runs", "list").out.splitlines()) == 3
    shown = json.loads(terminal.run("runs", "show", "--format", "json").out)
    assert shown["name"] == "greet"
    assert "report.say" in terminal.run("runs", "show", terminal.runs()[0].name).out
    assert (
        terminal.run("runs", "prune", "--older-than", "0", "--keep", "1", "--dry-run").out.splitlines()[-1]
        == "2 to remove"
    )
    assert terminal.run("runs", "prune", "--older-than", "0", "--keep", "1").code == 0
    assert len(terminal.runs()) == 1


def test_plugins_of_a_project_run_only_when_asked_for(terminal: Terminal) -> None:
    terminal.write(
        "steps/own.py",
        '''
        """Do a thing of this project's own."""

        from dataclasses import dataclass

        from dce_play.plugin import Effects, StepResult

        print("loaded")
        NAME = "own.step"
        EFFECTS = Effects.NONE
        REPEATABLE = True
        REHEARSABLE = True


        @dataclass(frozen=True, slots=True, kw_only=True)
        class Params:
            """None."""


        @dataclass(frozen=True, slots=True, kw_only=True)
        class Outputs:
            """None."""


        def apply(params, ctx, /):
            return StepResult(changed=False, summary="own thing done", outputs=Outputs())
        ''',
    )
    terminal.write("own.yml", "name: own\nsteps: [{own.step: {}}]\n")
    refused = terminal.run("run", "own")
    assert refused.code == 3
    assert "loaded" not in refused.out + terminal.run("run", "own", "--help").out
    assert "own thing done" in terminal.run("run", "own", "--plugins").out
    terminal.write("dce-play.toml", "plugins = true\n")
    assert terminal.run("run", "own").code == 0


def test_a_second_run_on_one_archive_root_is_told_who_holds_it(terminal: Terminal) -> None:
    root = terminal.folder / "archive"
    terminal.write(
        "scrape-targets.yml",
        f"""
        archive_root: {root}
        targets: [{{name: a, kind: guild, guild_ids: ["123456789012345678"], output_dir: {root}/a}}]
        """,
    )
    terminal.write("p.yml", "name: p\nsteps: [{archive.recover: {target: a}}]\n")
    root.mkdir()
    with subprocess.Popen(["flock", root / ".dce-scrape.lock", "sleep", "60"], start_new_session=True) as holder:
        try:
            assert eventually((root / ".dce-scrape.lock").exists)
            time.sleep(0.2)
            done = terminal.run("run", "p")
        finally:
            os.killpg(holder.pid, signal.SIGKILL)
    assert done.code == 75
    assert "Another scrape is already running" in done.out + done.err
