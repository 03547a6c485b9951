"""The page of a run: names first, only what changed, nothing told twice, never wider than the screen."""

import io
import re
import shlex
import subprocess
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dce_play.events import (
    Body,
    Event,
    ItemTold,
    Mode,
    Outcome,
    RunEnded,
    Status,
    StepEnded,
    StepRef,
    StepRetried,
    StepStarted,
)
from dce_play.facts import ItemFacts
from dce_play.plugin import Context, StepFailed, StepResult
from dce_play.render.page.display import DisplayOptions
from dce_play.render.page.fitting import Fitting
from dce_play.render.page.page import Page
from dce_play.render.page.step_lines import hint
from dce_play.render.terminal import PlainTerminal
from dce_play.render.text import ASCII
from dce_play.source import JsonValue
from dce_play.system.cells import width
from tests.support.plans import MadeUpStep, Ran, done, play

NIGHT = """
summary: Look at every night
steps:
  - name: Get ready
    block:
      - {name: Look at the disk, quiet.one: {value: 70 GiB free}}
      - {name: Look at the token, quiet.one: {value: token ok}}
  - name: Prove {{ item }}
    loop: [lab]
    block:
      - {name: Scrape, long.one: {value: x}}
      - {name: Prove it, quiet.one: {value: "proved: 1 grew"}}
  - report.say: {text: a marker, detail: true}
"""
GENERAL, NEWS, QUIET, SECRET, FRESH = "948278447312435651", "948293546806835652", "3", "4", "5"


def channel(name: str, added: int = 0, total: int = 0, **more: Any) -> ItemFacts:
    return ItemFacts(kind="channel", name=name, group="lab", added=added, total=total, unit="messages", **more)


def told(*items: tuple[str, str, str, ItemFacts]) -> MadeUpStep:
    def act(_params: Any, ctx: Context) -> StepResult:
        ctx.reporter.note("=== a marker that scripts look for ===")
        for key, status, detail, facts in items:
            ctx.reporter.item(key, "started")
            ctx.reporter.item(key, status, detail, facts)
        failed = sum(1 for _, status, _, _ in items if status == "failed")
        if failed:
            raise StepFailed(f"{failed} failed")
        return done("it")

    return MadeUpStep(NAME="long.one", act=act)


def quiet_one() -> MadeUpStep:
    def act(params: Any, _ctx: Context) -> StepResult:
        return StepResult(changed=False, summary=params.value)

    return MadeUpStep(NAME="quiet.one", act=act)


USUAL = (
    (GENERAL, "merged", "+2 messages", channel("general", 2, 1162)),
    (NEWS, "merged", "+12 messages", channel("news", 12, 47)),
    (QUIET, "unchanged", "+0 messages", channel("quiet", 0, 9)),
    (SECRET, "skipped", "forbidden", channel("staff-only", remark="forbidden")),
    (
        FRESH,
        "unarchived",
        "",
        channel("memes", remark="not archived", fix="dce-play targets discover --new --target lab"),
    ),
)


def night(folder: Path, *items: tuple[str, str, str, ItemFacts], text: str = NIGHT, **changes: Any) -> Ran:
    return play(text, folder, told(*(items or USUAL)), quiet_one(), **changes)


def page(ran: Ran, **display: Any) -> str:
    stream = io.StringIO()
    sink = PlainTerminal(stream, DisplayOptions(**{"width": 80, **display}))
    for event in ran.recorder.events:
        sink.accept(event)
    return re.sub(r"\d+\.\d s$", "0.0 s", stream.getvalue(), flags=re.MULTILINE)


@pytest.mark.contract("O4", "O25")
def test_a_night_with_news(tmp_path: Path) -> None:
    assert page(night(tmp_path), folder=str(tmp_path)) == dedent(
        """\
        test · Look at every night                                          playbook.yml
        run run-1

        ✓ Get ready                   70 GiB free · token ok
        lab                                                                   4 channels
          +    2  general   1 162   #948278447312435651
          +   12  news         47   #948293546806835652
          = 1 unchanged   ! 1 forbidden: staff-only   ! 1 not archived: memes
          ✓ proved: 1 grew

        OK  +14 messages in 2 of 4 channels · 0.0 s
        !   1 channel is not archived: dce-play targets discover --new --target lab
        report  dce-play runs show run-1
        """
    )


def test_a_night_with_nothing_new(tmp_path: Path) -> None:
    text = page(night(tmp_path, (QUIET, "unchanged", "", channel("quiet", 0, 9, recap="proved"))))
    assert "  = 1 unchanged\n" in text
    assert "OK  nothing new in 1 channel · proved · 0.0 s" in text
    assert "quiet\n" not in text


@pytest.mark.contract("O1")
def test_only_the_screens_height_is_used_and_the_rest_is_summed_up(tmp_path: Path) -> None:
    many = [(str(number), "merged", "", channel(f"room-{number}", number, 99)) for number in range(1, 41)]
    text = page(night(tmp_path, *many))
    assert len(text.splitlines()) <= 23
    assert re.search(r"\n  \+ +\d+  in \d+ more channels\n", text)
    assert "room-40" in text
    assert "OK  +820 messages in 40 channels" in text


def test_a_failed_channel_is_told_with_its_file_and_what_mends_it(tmp_path: Path) -> None:
    facts = channel(
        "bench",
        path="lab/bench [1].json",
        why="damaged: it ends inside a message (byte 125662)",
        fix="dce-play archive salvage 'lab/bench [1].json'",
        keeps="97 messages can be kept; a backup stays",
    )
    text = page(night(tmp_path, ("1", "failed", "/root/lab/bench [1].json is damaged", facts)))
    assert "  ✗ bench  damaged: it ends inside a message (byte 125662)\n" in text
    assert "      file  lab/bench [1].json\n      fix   dce-play archive salvage 'lab/bench [1].json'\n" in text
    assert "\n            97 messages can be kept; a backup stays\n" in text
    assert "1 channel failed" in text


def test_of_many_failures_as_many_are_told_as_the_screen_has_room_for_and_the_others_are_named(tmp_path: Path) -> None:
    facts = [channel(f"room-{number}", path="lab/room.json", fix="dce-play archive audit x") for number in range(1, 41)]
    ran = night(tmp_path, *((each.name, "failed", "it is broken", each) for each in facts))
    text = page(ran)
    assert len(text.splitlines()) <= 23
    assert re.search(r"\n  ✗ \d+ more failed: room-\d+, room-\d+, .* and \d+ more\n", text)
    assert text.count("fix ") >= 2
    assert "40 channels failed" in text
    assert page(ran, quiet=True).count("fix ") == 40, "nobody scrolls in a mail"


@pytest.mark.parametrize(("length", "indent"), [(60, 4), (78, 2), (80, 0), (81, 0)])
def test_a_commands_lines_are_indented_no_farther_than_its_widest_word_leaves_room(length: int, indent: int) -> None:
    fit = Fitting(DisplayOptions(width=80, breaks=True))
    path = "x" * length
    lines = fit.command(("      fix   ", ""), f"dce-play archive salvage {path}")
    told = ["".join(text for text, _ in line) for line in lines]
    assert told == ["      fix   dce-play archive salvage \\", " " * indent + path]


def test_a_command_in_a_hint_of_several_lines_can_be_typed_from_the_screen() -> None:
    command = "dce-play lock status --root '/srv/archives of the lab/2026/with a long name'"
    fit = Fitting(DisplayOptions(width=60, breaks=True))
    said = ["".join(text for text, _ in line) for line in hint(f"the lock is held\n  look: {command}", fit, "    ")]
    typed = "\n".join(said).split("look: ", 1)[1]
    read = subprocess.run(
        ["sh", "-c", typed.replace("dce-play", "printf '%s\\n'", 1)], capture_output=True, text=True, check=True
    )
    assert read.stdout.splitlines() == shlex.split(command)[1:]
    assert all(width(line) <= 60 for line in said)


def test_quiet_says_nothing_of_a_run_that_went_well_and_of_others_what_failed_and_what_mends_it(tmp_path: Path) -> None:
    assert page(night(tmp_path), quiet=True) == ""
    broken = NIGHT + '  - {name: Check, assert.that: {conditions: ["{{ 1 > 2 }}"], message: no}}\n'
    ran = night(
        tmp_path, text=broken, run_id="run-2", run_folder=tmp_path / "run-2", resume_command="dce-play resume run-1"
    )
    assert page(ran, quiet=True) == dedent(
        """\
        ✗ Check  no
        FAILED  +14 messages in 2 of 4 channels · 1 step failed · 0.0 s
        next: dce-play resume run-1
        """
    )


@pytest.mark.contract("O3")
def test_quiet_tells_one_command_that_which_mends_it(tmp_path: Path) -> None:
    facts = channel("bench", why="damaged", path="lab/bench [1].json", fix="dce-play archive salvage x")
    ran = night(tmp_path, *USUAL, ("1", "failed", "damaged", facts), resume_command="dce-play resume run-1")
    assert page(ran, quiet=True) == dedent(
        """\
        ✗ lab/bench  damaged
            file  lab/bench [1].json
            fix   dce-play archive salvage x
        FAILED  +14 messages in 2 of 4 channels · 1 channel failed · 1 step failed · 2
                steps not run · 0.0 s
        """
    )


def test_markers_are_told_with_v_and_not_on_the_page(tmp_path: Path) -> None:
    ran = night(tmp_path)
    assert "marker" not in page(ran)
    verbose = page(ran, verbosity=1)
    assert "│ === a marker that scripts look for ===" in verbose
    assert f"merged   {GENERAL}  +2 messages" in verbose


def test_a_dry_run_says_that_it_is_one(tmp_path: Path) -> None:
    text = page(night(tmp_path, mode=Mode.DRY_RUN))
    assert "dry run: nothing is changed" in text
    assert "OK  dry run: nothing to change" in text


HOSTILE = (
    ("1", "merged", "", channel("👩‍👩‍👧‍👦" * 100, 3, 5)),
    ("2", "merged", "", channel("שלום עולם " * 20, 1, 5)),
    ("3", "merged", "", channel("名" * 90, 1, 12345)),
    ("4", "merged", "", channel("evil\x1b[2J\rname\u202egnp\x07" * 9, 1, 5)),
    ("5", "failed", "x" * 300, channel("e\u0301" * 200, path="p/" * 90)),
    ("6", "skipped", "", channel("ü" * 150, remark="forbidden")),
)


@pytest.mark.contract("O2")
@pytest.mark.parametrize("cells", [20, 40, 80, 140])
def test_no_name_makes_a_line_wider_than_the_screen(tmp_path: Path, cells: int) -> None:
    lines = page(night(tmp_path, *HOSTILE, archive_root=tmp_path / ("root" * 20)), width=cells).splitlines()
    for line in lines:
        assert width(line) <= cells or "dce-play" in line, line
        assert not re.search(r"[\x00-\x1f\x7f\u202a-\u202e]", line), repr(line)


def test_where_the_encoding_lacks_signs_all_is_told_without_them(tmp_path: Path) -> None:
    text = page(night(tmp_path, *HOSTILE), signs=ASCII, encoding="ascii")
    assert text.isascii()
    assert all(len(line) <= 80 for line in text.splitlines())


def test_steps_of_items_that_run_side_by_side_say_whose_they_are() -> None:
    page = Page(DisplayOptions(width=80))
    lines: list[str] = []

    def tell(body: Body) -> None:
        event = Event(seq=1, ts="2026-11-21T01:00:00.000000Z", run="r", body=body)
        lines.extend("".join(text for text, _ in line) for line in page.lines(event))

    def step(item: str, name: str = "") -> StepRef:
        if not name:
            return StepRef(id=f"each[{item}]", name=f"Each {item}", uses="block", item=item)
        return StepRef(id=f"each[{item}]/{name}", name=name, uses="x.y", item=item)

    def ended(item: str, name: str, summary: str) -> None:
        tell(StepEnded(step=step(item, name), status=Status.OK, summary=summary, duration_s=0.1))

    for item in ("a", "b"):
        tell(StepStarted(step=step(item)))
        tell(StepStarted(step=step(item, "scrape"), effects="archive"))
    for item in ("a", "b"):
        facts = ItemFacts(kind="channel", name="room", group=item, added=1, total=1, unit="messages")
        tell(ItemTold(step=step(item, "scrape"), key="1", status="merged", facts=facts))
        ended(item, "scrape", "")
    ended("a", "prove", "proved: a")
    ended("b", "prove", "proved: b")
    assert [line.strip() for line in lines if "proved" in line] == ["✓ a: proved: a", "✓ b: proved: b"]


@pytest.mark.contract("O2")
def test_a_channel_that_cannot_be_read_is_told_once_in_its_first_night_too() -> None:
    page = Page(DisplayOptions(width=80))
    step = StepRef(id="scrape", name="Scrape", uses="scrape.run")
    news: list[JsonValue] = [
        f"channel staff-only ({SECRET}) cannot be read by this token",
        f"new channel memes ({FRESH})",
    ]
    facts = channel("staff-only", remark="forbidden")
    bodies: tuple[Body, ...] = (
        StepStarted(step=step, effects="archive"),
        ItemTold(step=step, key=SECRET, status="skipped", detail="forbidden", facts=facts),
        StepEnded(step=step, status=Status.OK, summary="", duration_s=0.1, outputs={"news": news}),
    )
    events = [Event(seq=1, ts="2026-11-21T01:00:00.000000Z", run="r", body=body) for body in bodies]
    lines = ["".join(text for text, _ in line) for event in events for line in page.lines(event)]
    assert [line for line in lines if "staff-only" in line] == ["  ! 1 forbidden: staff-only"]
    assert f"  ! new channel memes ({FRESH})" in lines


def test_an_item_that_took_two_tries_is_told_once_with_what_both_brought() -> None:
    page = Page(DisplayOptions(width=80))
    step = StepRef(id="scrape", name="Scrape", uses="scrape.run")
    failed, rest = channel("general", 5, why="cut off"), channel("general", 2, 9)
    counts = {"changed": 1}
    bodies: tuple[Body, ...] = (
        StepStarted(step=step, effects="archive"),
        ItemTold(step=step, key=GENERAL, status="failed", facts=failed),
        StepRetried(step=step, attempt=2, delay_s=0.1, reason="cut off"),
        ItemTold(step=step, key=GENERAL, status="merged", facts=rest),
        StepEnded(step=step, status=Status.CHANGED, summary="", duration_s=0.1),
        RunEnded(outcome=Outcome.OK, exit_code=0, duration_s=0.1, counts=counts),
    )
    events = [Event(seq=1, ts="2026-11-21T01:00:00.000000Z", run="r", body=body) for body in bodies]
    lines = ["".join(text for text, _ in line) for event in events for line in page.lines(event)]
    assert [line for line in lines if "general" in line] == [f"  +    7  general   9   #{GENERAL}"]
    assert "OK  +7 messages in 1 channel · 0.1 s" in lines
