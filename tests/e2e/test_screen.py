"""What an operator sees: whole screens of a real terminal (tmux), piped, with ``-q``, ``-v`` and ``jsonl``.

The screens are golden files. To write them anew after a change that was meant:
``DCE_PLAY_WRITE_GOLDEN=1 pytest tests/e2e/test_screen.py``.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.worlds import REHEARSAL_GROWTH, rehearsal_world
from tests.support.command_line import Terminal
from tests.support.tmux import ENDED, screen_of

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "screens"
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
        text = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{6}", "20261128T030000Z-f0ec06", text)
        text = re.sub(r"(runs show|resume) [0-9a-f]{6}\b", r"\1 f0ec06", text)
        text = re.sub(r" {2,}(\d+ channels?)( · \d+\.\d s)?$", r"  \1", text, flags=re.MULTILINE)
        text = re.sub(r" · \d+\.\d s$", "", text, flags=re.MULTILINE)
        text = re.sub(r"( +)\d+\.\d s$", "", text, flags=re.MULTILINE)
        return re.sub(r"\d+(\.\d)? GiB free", "70 GiB free", text)


@pytest.fixture
def night() -> Iterator[Night]:
    folder = Path(tempfile.mkdtemp(prefix="dce-", dir="/tmp"))
    try:
        with running_simulator(rehearsal_world(1)) as simulator:
            yield Night(folder, simulator)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def compare(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("DCE_PLAY_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


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
