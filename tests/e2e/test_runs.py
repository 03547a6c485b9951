"""``runs list`` and ``runs show`` over the runs of an operator: good, refused, cut off, damaged, and running ones."""

import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import termios
from itertools import islice
from pathlib import Path

import pytest

from dce_play.runner.record.folders import State, each_run
from tests.support.command_line import Terminal, terminal_in
from tests.support.operators import ROOM, Operator
from tests.support.processes import eventually


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


def fake_run(terminal: Terminal, run_id: str, *lines: object, folder: Path | None = None) -> Path:
    """Make a run folder whose journal begins in this project, and goes on with these lines."""
    place = terminal.folder / "state" / "runs" / run_id
    place.mkdir(parents=True)
    first = {
        "v": 1,
        "seq": 1,
        "ts": "2026-11-28T03:15:00.000000Z",
        "run": run_id,
        "type": "run.start",
        "mode": "run",
        "name": "night",
        "options": {"folder": str(folder or terminal.folder)},
    }
    texts = [each if isinstance(each, str) else json.dumps(each) for each in (first, *lines)]
    (place / "events.jsonl").write_text("".join(f"{text}\n" for text in texts))
    return place


@pytest.mark.contract("O10")
def test_a_night_with_news_and_one_without(operator: Operator) -> None:
    assert operator.run("scrape").code == 0
    assert operator.run("scrape").code == 0
    quiet, news = operator.play("runs", "list").out.splitlines()
    assert news.startswith("today ")
    assert "  ok  " in news
    assert "  scrape  demo  +1 in 1 channel  " in news
    assert "  nothing new  " in quiet.replace("nothing new     ", "nothing new  ")
    newest, before = (json.loads(operator.play("runs", "list", "--format", "json").out))[:2]
    assert (before["added"], before["grown"], newest["added"]) == (1, 1, 0)


def test_a_short_id_is_enough(operator: Operator) -> None:
    operator.run("scrape")
    run_id = operator.terminal.runs()[-1].name
    shown = operator.play("runs", "show", run_id.rpartition("-")[2])
    assert shown.code == 0
    assert run_id in shown.out.splitlines()[0]
    assert "+1 in 1 channel" in shown.out


@pytest.mark.contract("O10")
def test_a_refused_run_says_why_and_is_not_to_be_resumed(operator: Operator) -> None:
    with (operator.archives / ".dce-scrape.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert operator.run("scrape").code == 75
    line = operator.play("runs", "list").out
    assert "  refused  " in line
    assert "Another scrape is already running" in line
    shown = operator.play("runs", "show").out
    assert "Another scrape is already running" in shown
    assert "hint: " in shown
    assert "next: " not in shown


def test_a_failed_channel_is_told_with_its_reason(operator: Operator) -> None:
    operator.answers(ROOM, "error")
    assert operator.run("scrape").code != 0
    assert ROOM in operator.play("runs", "list").out


@pytest.mark.contract("O10")
def test_a_running_run_tells_its_step_and_a_killed_one_where_it_was(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    terminal.write("p.yml", "name: p\nsteps:\n  - report.say: {text: hello}\n  - command.run: {argv: [sleep, '60']}\n")
    with subprocess.Popen(
        terminal.argv("run", "p"),
        env=terminal.environment,
        cwd=terminal.folder,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert eventually(lambda: "step 2 of 2: command.run" in terminal.run("runs", "list").out)
        assert "  running   step 2 of 2: command.run  (last heard of " in terminal.run("runs", "show").out
        process.kill()
    assert eventually(lambda: "killed in step 2 of 2: command.run" in terminal.run("runs", "list").out)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["garbage"], "the last line is no event: not JSON"),
        ([{"type": "run.end", "outcome": "splendid"}], "'splendid' is not a valid State"),
        (["[" * 100_000], "the last line is no event"),
    ],
)
def test_a_damaged_journal_is_told_and_hides_no_other_run(tmp_path: Path, lines: list[object], words: str) -> None:
    terminal = terminal_in(tmp_path)
    fake_run(terminal, "20261128T031500Z-aaaaaa", *lines)
    fake_run(terminal, "20261128T031400Z-bbbbbb", {"type": "run.end", "outcome": "ok", "exit_code": 0})
    said = terminal.run("runs", "list")
    assert (said.code, said.err) == (0, "")
    damaged, good = said.out.splitlines()
    assert "  damaged  " in damaged
    assert words in damaged
    assert "  ok  " in good.replace("ok       ", "ok  ")
    shown = terminal.run("runs", "show", "aaaaaa")
    assert shown.code == 0
    assert "events.jsonl" in shown.out


def test_damage_in_the_middle_is_told_with_its_line_and_the_rest_is_shown(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    step = {"id": "a/b", "name": "Do it", "uses": "x.y"}
    fake_run(
        terminal,
        "20261128T031500Z-aaaaaa",
        "gar\x1b[2Jbage",
        {"type": "step.end", "step": step, "status": "ok", "summary": "did \x1b[2Jit"},
        {"type": "run.end", "outcome": "ok", "exit_code": 0},
    )
    said = terminal.run("runs", "show", "aaaaaa")
    assert said.code == 0
    assert "events.jsonl: line 2: not an event; the others are told here" in said.out
    assert "ok        a/b  did it" in said.out


@pytest.mark.contract("O10")
def test_only_this_projects_runs_are_listed(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    fake_run(terminal, "20261128T031500Z-aaaaaa", {"type": "run.end", "outcome": "ok"}, folder=elsewhere)
    said = terminal.run("runs", "list")
    assert (said.out, said.err) == ("", "no runs of this project; dce-play runs list --all shows others\n")
    assert "aaaaaa" in terminal.run("runs", "list", "--all").out


def test_runs_of_the_same_archive_root_are_this_projects_wherever_they_began(operator: Operator) -> None:
    operator.run("scrape")
    other = operator.folder.parent / "other"
    other.mkdir()
    shutil.copy(operator.folder / "scrape-targets.json", other)
    there = Terminal(folder=other, variables={"DCE_PLAY_STATE_DIR": str(operator.folder / "state")})
    assert len(there.run("runs", "list").out.splitlines()) == 1


@pytest.mark.contract("O10")
def test_a_dry_run_is_marked(operator: Operator) -> None:
    operator.run("scrape", "--dry-run")
    assert "scrape (dry run)" in operator.play("runs", "list").out


def test_no_more_journals_are_opened_than_are_asked_for(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    for number in range(300):
        fake_run(terminal, f"20261128T0315{number:03}Z-aaaaaa", {"type": "run.end", "outcome": "ok"})
    runs = terminal.folder / "state" / "runs"
    found = each_run(runs)
    assert [info.state for info in islice(found, 3)] == [State.OK] * 3
    shutil.rmtree(runs)
    assert list(found) == []


def test_pruning_leaves_what_can_be_resumed_what_runs_and_what_is_damaged(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    end = {"type": "run.end", "exit_code": 1}
    fake_run(terminal, "20261128T031500Z-000001", {**end, "outcome": "ok", "exit_code": 0})
    fake_run(terminal, "20261128T031500Z-000002", {**end, "outcome": "failed"})
    fake_run(terminal, "20261128T031500Z-000003", {**end, "outcome": "failed", "exit_code": 75})
    fake_run(terminal, "20261128T031500Z-000004", "garbage")
    held = fake_run(terminal, "20261128T031500Z-000005", {**end, "outcome": "ok"})
    with (held / "events.jsonl").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        said = terminal.run("runs", "prune", "--older-than", "0", "--keep", "0")
    assert [path.name[-1] for path in terminal.runs()] == ["2", "4", "5"], said.out
    assert terminal.run("runs", "prune", "--older-than", "0", "--keep", "0", "--unfinished").code == 0
    assert [path.name[-1] for path in terminal.runs()] == ["4"]


def test_what_a_killed_removal_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    left = fake_run(terminal, ".removing-20261101T031500Z-good00")
    again = fake_run(terminal, ".removing-20261102T031500Z-good01")
    fake_run(terminal, "20261102T031500Z-good01", {"type": "run.end", "outcome": "ok"})
    said = terminal.run("runs", "prune", "--older-than", "0", "--keep", "0")
    assert (said.code, said.err) == (0, "")
    assert not left.exists()
    assert not again.exists()
    assert terminal.runs() == []


@pytest.mark.parametrize(("variables", "red"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_a_terminal_shows_the_outcome_in_colour_and_lines_as_wide_as_it_is(
    tmp_path: Path, variables: dict[str, str], *, red: bool
) -> None:
    terminal = terminal_in(tmp_path, **{"TERM": "xterm", **variables})
    end = {"type": "run.end", "outcome": "failed", "error": {"message": "no room\x1b[2J " * 30}}
    fake_run(terminal, "20261128T031500Z-aaaaaa", end)
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    subprocess.run(
        terminal.argv("runs", "list"),
        env=terminal.environment,
        cwd=terminal.folder,
        stdout=theirs,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    line = os.read(ours, 65_536).decode().strip()
    os.close(ours)
    os.close(theirs)
    assert ("\x1b[31mfailed\x1b[0m" in line) is red
    assert len(re.sub(r"\x1b\[\d+m", "", line)) <= 60
    assert line.endswith("aaaaaa")
    assert "\x1b[2J" not in line


def test_ascii_is_enough_where_there_is_no_more(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path, LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    error = {"message": "no room " * 60}
    fake_run(terminal, "20261128T031500Z-aaaaaa", {"type": "run.end", "outcome": "failed", "error": error})
    assert terminal.run("runs", "list").out.isascii()
    assert terminal.run("runs", "show").out.isascii()


def test_a_journal_that_was_emptied_is_not_called_a_dry_run(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    (fake_run(terminal, "20261128T031500Z-aaaaaa") / "events.jsonl").write_text("")
    said = terminal.run("resume", "aaaaaa")
    assert (said.code, "cannot be resumed: it ended before it began" in said.err) == (6, True)


@pytest.mark.soak
def test_a_hundred_thousand_runs_are_listed(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    fake_run(terminal, "20261128T031500Z-aaaaaa", {"type": "run.end", "outcome": "ok"})
    runs = terminal.folder / "state" / "runs"
    for number in range(100_000):
        place = runs / f"20261127T{number:06}Z-bbbbbb"
        place.mkdir()
        (place / "events.jsonl").touch()
    said = terminal.run("runs", "list", "-n", "3")
    shutil.rmtree(runs)  # pytest keeps the folders of three sessions
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0].endswith("aaaaaa")


def names(terminal: Terminal) -> list[str]:
    return [path.name[-6:] for path in terminal.runs()]


@pytest.mark.contract("O11")
def test_keep_runs_leaves_the_newest_and_whatever_is_not_done_with(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    end = {"type": "run.end", "exit_code": 1}
    fake_run(terminal, "20261101T031500Z-lost00")
    fake_run(terminal, "20261102T031500Z-failed", {**end, "outcome": "failed"})
    fake_run(terminal, "20261103T031500Z-others", {**end, "outcome": "ok"}, folder=tmp_path / "elsewhere")
    fake_run(terminal, "20261104T031500Z-damage", "garbage")
    held = fake_run(terminal, "20261105T031500Z-held00", {**end, "outcome": "ok"})
    for number in range(6, 10):
        fake_run(terminal, f"2026110{number}T031500Z-good{number:02}", {**end, "outcome": "ok"})
    terminal.write("dce-play.toml", "keep_runs = 3\n")
    terminal.write("p.yml", "name: p\nsteps:\n  - report.say: {text: hello}\n")
    with (held / "events.jsonl").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        said = terminal.run("run", "p")
    assert (said.code, said.err) == (0, "")
    kept = ["lost00", "failed", "others", "damage", "held00", "good08", "good09"]
    assert names(terminal)[:-1] == kept
    assert terminal.run("run", "p", "--dry-run").code == 0
    assert names(terminal)[:7] == kept


@pytest.mark.parametrize("value", ["0", "-1", "true", '"many"', "1.5"])
def test_a_keep_runs_that_is_no_count_is_told_before_anything_runs(tmp_path: Path, value: str) -> None:
    terminal = terminal_in(tmp_path)
    terminal.write("dce-play.toml", f"keep_runs = {value}\n")
    terminal.write("p.yml", "name: p\nsteps:\n  - report.say: {text: hello}\n")
    said = terminal.run("run", "p")
    assert said.code == 3
    assert "keep_runs: a whole number of at least 1" in said.err
    assert terminal.runs() == []


def test_run_folders_that_cannot_be_removed_are_a_warning(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    for number in range(3):
        fake_run(terminal, f"2026110{number}T031500Z-good{number:02}", {"type": "run.end", "outcome": "ok"})
    (terminal.folder / "state" / "runs" / ".removing-20261100T031500Z-good00").touch()
    terminal.write("dce-play.toml", "keep_runs = 1\n")
    terminal.write("p.yml", "name: p\nsteps:\n  - report.say: {text: hello}\n")
    said = terminal.run("run", "p")
    assert said.code == 0
    assert re.search(r"^warning: an old run cannot be removed: \S+-good00: not a directory\n", said.err)


@pytest.mark.contract("O11")
def test_pruning_goes_on_after_what_cannot_be_removed_and_tells_all_of_it(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    end = {"type": "run.end", "outcome": "ok"}
    stuck = [f"2026110{day}T031500Z-{'x' * 235}" for day in (2, 4)]  # the name for its removal would be too long
    for run_id in (*stuck, "20261101T031500Z-good01", "20261103T031500Z-good03", "20261105T031500Z-good05"):
        fake_run(terminal, run_id, end)
    left = terminal.folder / "state" / "runs" / ".removing-20261031T031500Z-good00"
    left.write_text("no folder")
    said = terminal.run("runs", "prune", "--older-than", "0", "--keep", "0")
    assert said.code == 1
    assert "\n3 removed\n" in said.out
    assert [path.name for path in terminal.runs()] == stuck
    for name in (left.name, *stuck):
        assert re.search(rf"error: cannot remove \S*/{re.escape(name)}: \w+", said.err), said.err
    assert said.err.count("hint: ls -la ") == 3


def test_keeping_few_runs_goes_on_after_one_that_cannot_be_removed(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    terminal.write("dce-play.toml", "keep_runs = 1\n")
    terminal.write("hello.yml", "version: 1\nname: hello\nsteps: [{report.say: {text: hello}}]\n")
    end = {"type": "run.end", "outcome": "ok"}
    stuck = f"20261101T031500Z-{'x' * 235}"
    for run_id in (stuck, "20261102T031500Z-good01", "20261103T031500Z-good03"):
        fake_run(terminal, run_id, end)
    said = terminal.run("run", "hello.yml")
    assert said.code == 0
    assert len(terminal.runs()) == 2
    assert f"{stuck}: file name too long" in said.err


@pytest.mark.parametrize(
    ("words", "code"),
    [(["runs", "list"], 0), (["runs", "show", "aaaaaa"], 0), (["resume", "aaaaaa"], 6), (["resume"], 5),
     (["runs", "prune", "--keep", "0", "--older-than", "0"], 0)],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "dangling"])
def test_what_is_no_file_under_a_journals_name_is_damage_and_nothing_waits_for_it(
    tmp_path: Path, words: list[str], code: int, kind: str
) -> None:
    terminal = terminal_in(tmp_path)
    journal = fake_run(terminal, "20261128T031500Z-aaaaaa") / "events.jsonl"
    journal.unlink()
    match kind:
        case "fifo":
            os.mkfifo(journal)
        case "folder":
            journal.mkdir()
        case "device":
            journal.symlink_to("/dev/zero")
        case _:
            journal.symlink_to("nowhere")
    said = terminal.run(*words)
    assert said.code == code, said
    assert "Traceback" not in said.err
    if words[:2] == ["runs", "list"]:
        assert "damaged" in said.out
    if words[0] == "resume" and code == 6:
        assert "cannot be resumed: it is damaged" in said.err
    assert os.path.lexists(journal), "nobody knows what it was"


def test_a_run_whose_journal_was_emptied_stays_in_the_list(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    emptied = fake_run(terminal, "20261128T031500Z-aaaaaa")
    fake_run(terminal, "20261128T031500Z-aaaaaa.0123456789abcdef", {"type": "run.end", "outcome": "ok"})
    (emptied / "events.jsonl").write_bytes(b"")
    said = terminal.run("runs", "list")
    assert (said.code, said.err) == (0, "")
    assert re.fullmatch(r".*\blost\b.*aaaaaa\n", said.out)
