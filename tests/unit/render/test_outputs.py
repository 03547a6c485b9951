"""The run for people and programs: lines, colours, JSON, the log file, the report, the schema."""

import io
import json
import os
import pty
import re
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import jsonschema
import pytest

from dce_play.cli.run.sinks import leave_report
from dce_play.event_json import to_json
from dce_play.events import BODIES, Event, Mode, StepProgressed, StepRef, StepSaid, StepStarted
from dce_play.plugin import Context, StepResult
from dce_play.render.event_schema import event_schema
from dce_play.render.jsonl import JsonLines
from dce_play.render.log_file import LogFile, LogFileUnusable
from dce_play.render.narrate import Narrator
from dce_play.render.page.display import DisplayOptions
from dce_play.render.report import fold_report, read_events
from dce_play.render.terminal import PlainTerminal, signs_for, terminal
from dce_play.render.text import ASCII, UNICODE
from dce_play.resources import schemas_folder
from tests.support.plans import MadeUpStep, Ran, done, play

PLAYBOOK = """
steps:
  - name: Look around
    report.say: {text: "hello\\tworld"}
  - name: Each {{ item }}
    loop: [a, b]
    on_error: continue
    block:
      - {name: Check, assert.that: {conditions: ["{{ item != 'b' }}"], message: "no b"}}
  - {when: "1 > 2", report.say: {text: never}}
  - {long.one: {value: x}}
"""


def long_one() -> MadeUpStep:
    def act(_params: Any, ctx: Context) -> StepResult:
        ctx.reporter.progress(1, 3, "channels")
        ctx.reporter.say("\x1b[2Jevil\rline")
        ctx.reporter.item("general", "ok", "12 messages")
        return done("it")

    return MadeUpStep(NAME="long.one", act=act)


def ran_in(folder: Path, **changes: Any) -> Ran:
    return play(PLAYBOOK, folder, long_one(), **changes)


def shown(ran: Ran, display: DisplayOptions | None = None) -> str:
    stream = io.StringIO()
    sink = PlainTerminal(stream, display or DisplayOptions())
    for event in ran.recorder.events:
        sink.accept(event)
    return stream.getvalue()


def test_with_v_every_line_is_told(tmp_path: Path) -> None:
    ran = ran_in(tmp_path, resume_command="dce-play resume run-1")
    text = re.sub(r"in \d+\.\d s", "in 0.0 s", shown(ran, DisplayOptions(verbosity=1)))
    assert text == dedent(
        """\
        test
          run     run-1

            │ hello    world
          ✓ ok       Look around [1/4]
          ▸ each
          ▸ Each a
            ✓ ok       Check [2/4]
          ▸ Each b
            ✗ failed   Check [2/4]  no b
          · skipped  report.say  its condition does not hold
          … long.one
            │ evilline
            ok       general  12 messages
          ± changed  long.one [4/4]  did it

        ────────────────────────────────────────────────────────────────────────
        failed test in 0.0 s   2 ok · 1 changed · 1 skipped · 1 failed

        ✗ Check  each[b]/check
            no b

        next: dce-play resume run-1
        """
    )


def test_a_dry_run_says_pending_and_never_changed(tmp_path: Path) -> None:
    text = shown(ran_in(tmp_path, mode=Mode.DRY_RUN))
    assert "dry run: nothing is changed" in text
    assert "changed  " not in text


def test_ascii_signs_stand_in_where_the_encoding_has_no_others(tmp_path: Path) -> None:
    text = shown(ran_in(tmp_path), DisplayOptions(signs=ASCII))
    assert text.isascii()
    latin = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    utf8 = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    assert (signs_for(latin), signs_for(utf8)) == (ASCII, UNICODE)


def test_progress_is_told_at_most_twice_a_minute_where_lines_cannot_be_overwritten() -> None:
    step = StepRef(id="s", name="Scrape", uses="scrape.run")
    narrator = Narrator()
    told = []
    for second in range(100):
        body = StepProgressed(step=step, done=second, total=100, unit="channels")
        stamp = f"2026-11-21T01:{second // 60:02d}:{second % 60:02d}.000000Z"
        told += list(narrator.lines(Event(seq=second + 1, ts=stamp, run="r", body=body)))
    assert ["".join(text for text, _ in line).strip() for line in told] == [
        "30 of 100 channels (30 %)",
        "60 of 100 channels (60 %)",
        "90 of 100 channels (90 %)",
    ]


def test_on_a_terminal_there_is_colour_and_with_no_color_there_is_none(tmp_path: Path) -> None:
    ran = ran_in(tmp_path)
    assert "\x1b[" in on_pty(ran, {"TERM": "xterm-256color"})
    plain = on_pty(ran, {"TERM": "xterm-256color", "NO_COLOR": "1"})
    assert "\x1b" not in plain
    assert "\x1b" not in on_pty(ran, {"TERM": "dumb"})


def test_what_a_step_prints_cannot_clear_the_screen(tmp_path: Path) -> None:
    text = on_pty(ran_in(tmp_path), {"TERM": "xterm-256color"})
    assert "\x1b[2J" not in text
    assert "evilline" in text


def on_pty(ran: Ran, environment: dict[str, str]) -> str:
    """Return what a real terminal would be sent."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        sink = terminal(stream, environment)
        for event in ran.recorder.events:
            sink.accept(event)
        sink.close()
        stream.flush()
        os.set_blocking(ours, False)
        text = b""
        while chunk := _read(ours):
            text += chunk
    os.close(ours)
    return text.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""


def test_every_line_of_json_is_an_event_and_ascii(tmp_path: Path) -> None:
    stream = io.StringIO()
    sink = JsonLines(stream)
    ran = ran_in(tmp_path)
    for event in ran.recorder.events:
        sink.accept(event)
    lines = stream.getvalue().splitlines()
    assert stream.getvalue().isascii()
    validator = jsonschema.Draft7Validator(event_schema())
    for line in lines:
        validator.validate(json.loads(line))
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))


def test_the_schema_file_is_what_the_event_classes_say() -> None:
    written = json.loads((schemas_folder() / "event.schema.json").read_text(encoding="utf-8"))
    assert written == event_schema()
    jsonschema.Draft7Validator.check_schema(written)
    assert len({kind.TYPE for kind in BODIES}) == len(BODIES)


def test_the_log_file_is_appended_to_and_each_line_has_its_time(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "run.log"
    path.parent.mkdir()
    path.write_text("before\n", encoding="utf-8")
    sink = LogFile(path)
    for event in ran_in(tmp_path).recorder.events:
        sink.accept(event)
    sink.close()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "before"
    assert lines[1] == f"Log file: {path}"
    assert all(line[:4] == "2026" or line[:2] == "20" for line in lines[2:])


@pytest.mark.contract("S-24")
def test_the_summary_marker_stands_in_the_log_file_only(tmp_path: Path) -> None:
    def act(_params: Any, ctx: Context) -> StepResult:
        ctx.reporter.note('DCE_JSON_SUMMARY: {"version": 1}')
        return done()

    ran = play("steps: [{do.it: {}}]", tmp_path, MadeUpStep(NAME="do.it", act=act))
    sink = LogFile(tmp_path / "x.log")
    for event in ran.recorder.events:
        sink.accept(event)
    sink.close()
    assert 'DCE_JSON_SUMMARY: {"version": 1}' in (tmp_path / "x.log").read_text(encoding="utf-8").splitlines()
    assert "DCE_JSON_SUMMARY" not in shown(ran) + shown(ran, DisplayOptions(verbosity=1))


def test_a_log_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(LogFileUnusable):
        LogFile(tmp_path / "file" / "x.log")


def test_the_report_is_a_fold_of_the_journal(tmp_path: Path) -> None:
    ran = ran_in(tmp_path)
    assert leave_report(ran.outcome.run_folder, also=tmp_path / "ci" / "report.json")
    report = json.loads((tmp_path / "ci" / "report.json").read_text(encoding="utf-8"))
    assert report == json.loads((ran.outcome.run_folder / "report.json").read_text(encoding="utf-8"))
    assert (report["run"], report["outcome"], report["exit_code"]) == ("run-1", "failed", 1)
    steps = {step["id"]: step["status"] for step in report["steps"]}
    assert steps == ran.recorder.statuses()
    assert report == fold_report(to_json(event) for event in ran.recorder.events)


def test_a_run_without_an_end_is_reported_as_lost(tmp_path: Path) -> None:
    events = read_events(ran_in(tmp_path).outcome.run_folder)
    report = fold_report(events[:-1])
    assert (report["outcome"], report["exit_code"]) == ("lost", 137)


def test_a_value_that_no_event_can_hold_is_an_error() -> None:
    step = StepRef(id="s", name="s", uses="a.b")
    event = Event(seq=1, ts="", run="", body=StepSaid(step=step, text="x"))
    broken = replace(event, body=replace(StepStarted(step=step), effects=object()))  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="object"):
        to_json(broken)
