"""What an operator sees: whole screens of a real terminal (tmux), piped, with ``-q``, ``-v`` and ``jsonl``.

The screens are golden files. To write them anew after a change that was meant:
``DCE_PLAY_WRITE_GOLDEN=1 pytest tests/e2e/test_screen.py``.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dce_play.discord.simulator.faults import Fault, Faults, Slow
from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.worlds import REHEARSAL_GROWTH, Size, build_world, rehearsal_world
from tests.support.command_line import Terminal, terminal_in
from tests.support.processes import eventually, running
from tests.support.tmux import ENDED, screen_of

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "screens"
PROGRESS = r"demo 1/2  room-\d  [\d ]+ messages  \d+/s  at \d{4}-\d\d-\d\d \(\d+ %\)"
SIZES = [(80, 24), (140, 40)]


class Night:
    """A machine with two targets on a simulated Discord, whose archives are from yesterday."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.folder = folder
        self.simulator = simulator
        self.archives = folder / "archives"
        targets = [
            {"name": name, "guild_ids": [guild], "output_dir": str(self.archives / name)}
            for name, guild in zip(("lab-guild", "workshop"), simulator.world.guilds, strict=False)
        ]
        self.archives.mkdir()
        (folder / "home").mkdir()
        file = {"archive_root": str(self.archives), "targets": targets}
        (folder / "scrape-targets.json").write_text(json.dumps(file))
        variables = {
            "DISCORD_TOKEN": simulator.token,
            "DCE_DISCORD_API_BASE": simulator.base_url,
            "DCE_MIN_FREE_MB": "1",
        }
        self.terminal = Terminal(folder=folder, variables=variables)
        first = self.terminal.run("run", "proof")
        assert first.code == 0, first.out + first.err

    def screen(self, columns: int, lines: int, *words: str) -> str:
        """Return the whole screen after a run, with what changes from run to run made the same."""
        argv = self.terminal.argv(*words)
        environment = self.terminal.environment
        with screen_of(argv, folder=self.folder, environment=environment, columns=columns, lines=lines) as screen:
            return self.steady(screen.wait(ENDED))

    def steady(self, text: str) -> str:
        """Return the text with run ids, times, free space and the folder's name as they always are."""
        text = text.replace(self.folder.name, "dce-00000000")
        text = re.sub(r"\b(pid|kill) \d+", r"\1 4711", text)
        text = re.sub(r"\(byte \d+\)", "(byte 224021)", text)  # the head's time may end in a zero, which is not written
        text = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{6}", "20261128T030000Z-f0ec06", text)
        text = re.sub(r"(runs show|resume) [0-9a-f]{6}\b", r"\1 f0ec06", text)
        text = re.sub(r" {2,}(\d+ channels?)( · \d+\.\d s)?$", r"  \1", text, flags=re.MULTILINE)
        text = re.sub(r" · \d+\.\d s$", "", text, flags=re.MULTILINE)
        text = re.sub(r"( +)\d+\.\d s$", "", text, flags=re.MULTILINE)
        return re.sub(r"\d+(\.\d)? GiB free", "70 GiB free", text)


@contextmanager
def slow_machine(folder: Path, *, messages: int = 3000) -> Iterator[Terminal]:
    """Give a machine with one target of two channels, on a Discord whose pages take their time."""
    size = Size(channels=2, messages=messages)
    slow = Fault(trouble=Slow(delay_s=0.4), path="*/messages*", times=None)
    with running_simulator(build_world(3, size=size), faults=Faults(scripted=(slow,))) as simulator:
        variables = {
            "DISCORD_TOKEN": simulator.token,
            "DCE_DISCORD_API_BASE": simulator.base_url,
            "DCE_MIN_FREE_MB": "1",
        }
        terminal = terminal_in(folder, **variables)
        root = terminal.folder / "archives"
        demo = {"name": "demo", "guild_ids": list(simulator.world.guilds), "output_dir": str(root / "demo")}
        terminal.write("scrape-targets.json", json.dumps({"archive_root": str(root), "targets": [demo]}))
        yield terminal


@pytest.fixture
def night() -> Iterator[Night]:
    folder = Path(tempfile.mkdtemp(prefix="dce-", dir="/tmp"))
    try:
        with running_simulator(rehearsal_world(1)) as simulator:
            yield Night(folder, simulator)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Let somebody else hold the archive's lock."""
    lock = root / ".dce-scrape.lock"
    with subprocess.Popen(["flock", lock, "-c", "echo taken; exec sleep 100"], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            yield
        finally:
            holder.kill()


def damage(night: Night) -> None:
    """Cut the largest channel file of the first target inside its last message."""
    path = max((night.archives / "lab-guild").glob("*.json"), key=lambda each: each.stat().st_size)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b'"content"')])


def compare(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("DCE_PLAY_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.contract("O5")
def test_while_it_runs_the_screen_the_lock_and_the_journal_tell_how_far_it_is(tmp_path: Path) -> None:
    with slow_machine(tmp_path) as terminal:
        argv = terminal.argv("run", "scrape", "--skip-preflight")
        environment = terminal.environment
        with screen_of(argv, folder=terminal.folder, environment=environment, columns=80, lines=24) as screen:
            assert eventually(lambda: bool(re.search(rf"^\S {PROGRESS}  \d.*s$", screen.text(), re.MULTILINE))), (
                screen.text()
            )
            note = terminal.run("lock", "status").out
            shown = terminal.run("runs", "show").out
            screen.type("C-c")
            stopped = screen.wait(ENDED)
    assert re.search(PROGRESS, note), note
    assert re.search(PROGRESS.replace("  ", " "), shown), shown
    assert "INTERRUPTED" in stopped
    assert not re.search(PROGRESS, stopped), "the line of progress goes when the run ends"


@pytest.mark.contract("O1")
@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_a_night_with_nothing_new_and_one_with_news_fit_the_screen(night: Night, columns: int, lines: int) -> None:
    nothing = night.screen(columns, lines, "run", "proof")
    night.simulator.grow(REHEARSAL_GROWTH)
    news = night.screen(columns, lines, "run", "proof")
    for name, text in (("nothing-new", nothing), ("news", news)):
        shown = text.splitlines()
        assert shown[0].startswith("proof · "), "the first line is still on the screen"
        assert shown[-1] == f"{ENDED} 0"
        compare(f"{name}-{columns}x{lines}", text)


@pytest.mark.contract("O6")
@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_a_damaged_file_is_told_with_the_command_that_mends_it(night: Night, columns: int, lines: int) -> None:
    damage(night)
    words = ("run", "scrape", "--skip-preflight")
    failed = night.screen(columns, lines, *words)
    compare(f"failure-{columns}x{lines}", failed)
    assert failed.endswith(f"{ENDED} 1\n")
    assert failed.startswith("scrape · "), "the first line is still on the screen"
    kept = re.search(r"(\d+) messages can be kept; a backup stays\n", failed)
    assert kept is not None, failed
    fix = re.search(r"fix +(dce-play (?:.+\\\n)*.+)", failed)
    assert fix is not None, failed
    typed = shlex.split(fix[1].replace("\\\n", " ").replace("dce-00000000", night.folder.name))
    mended = night.terminal.run(*typed[1:])
    assert mended.code == 0, mended
    assert f"Valid JSON with {kept[1]} messages." in mended.out
    assert night.terminal.run(*words).code == 0


@pytest.mark.contract("O7")
@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_a_run_that_is_refused_says_why_and_proposes_nothing_that_cannot_help(
    night: Night, columns: int, lines: int
) -> None:
    with held(night.archives):
        refused = night.screen(columns, lines, "run", "proof")
    compare(f"refused-{columns}x{lines}", refused)
    assert refused.endswith(f"{ENDED} 75\n")
    assert "resume" not in refused


@pytest.mark.contract("O4")
def test_where_no_terminal_is_the_page_is_the_same_without_colour(night: Night) -> None:
    piped = night.terminal.run("run", "proof")
    assert "\x1b" not in piped.out
    compare("piped", night.steady(piped.out))
    for words, variables in (
        ((), {"NO_COLOR": "1"}),
        (("--no-color",), {}),
        ((), {"TERM": "dumb"}),
        ((), {"LC_ALL": "C"}),
    ):
        other = Terminal(folder=night.folder, variables={**night.terminal.variables, **variables})
        assert night.steady(other.run("run", "proof", *words).out) == night.steady(piped.out)


@pytest.mark.contract("O3")
def test_quiet_is_for_cron_verbose_and_jsonl_have_every_marker(night: Night) -> None:
    quiet = night.terminal.run("run", "proof", "-q", "--log-file", "log")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    verbose = night.terminal.run("run", "proof", "-v")
    machine = night.terminal.run("run", "proof", "--output", "jsonl")
    log = (night.folder / "log").read_text()
    told = "\n".join(str(event.get("text")) for event in machine.events)
    for marker in ("=== Scrape run summary ===", "JSON summary file: ", "Operator proof passed for workshop"):
        assert marker in verbose.out
        assert marker in log
        assert marker in told
        assert marker not in machine.err
    assert "outputs" not in verbose.out
    assert 'verdict = "passed"' in night.terminal.run("run", "proof", "-vv").out
    damage(night)
    failed = night.terminal.run("run", "scrape", "--skip-preflight", "-q")
    assert failed.code == 1
    assert failed.err == ""
    compare("quiet-failure", night.steady(failed.out))
    assert night.terminal.run("run", "proof", "-q", "-v").code == 2


@pytest.mark.contract("O5")
def test_where_no_terminal_is_a_long_channel_is_told_again_and_again_as_often_as_was_asked_for(tmp_path: Path) -> None:
    with slow_machine(tmp_path, messages=500) as terminal:
        every = Terminal(folder=terminal.folder, variables={**terminal.variables, "DCE_PLAY_PROGRESS_EVERY_S": "0.1"})
        argv = every.argv("run", "scrape", "--skip-preflight")
        with running(argv, cwd=every.folder, env=every.environment, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            told = [line for line in process.stdout if re.fullmatch(rf"… {PROGRESS}\n", line)]  # to its end
    assert process.returncode == 0
    assert len(told) > 1
    assert len(set(told)) == len(told), "each tells of another place"
