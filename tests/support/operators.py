"""An operator's machine for tests: a targets file, archives, a stand-in for DiscordChatExporter, and ``dce-play``."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.canned_exporter import tree
from tests.support.channel_files import channel_bytes, write_channel
from tests.support.command_line import Said, Terminal, terminal_in

ROOM, OTHER, THIRD = "111111111111111111", "222222222222222222", "333333333333333333"
TOKEN = "canary-token-of-the-operator"
STANDINS = Path(__file__).parents[1] / "standins"


class Operator:
    """A working folder with the target ``demo``, whose channel ``ROOM`` has an archive with the messages 1 and 2.

    The stand-in exports the messages 1, 2 and 3 of every channel, unless told otherwise with ``answers``.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.terminal: Terminal = terminal_in(
            folder,
            DISCORD_TOKEN=TOKEN,
            DCE_MIN_FREE_MB="0",
            DCE_CLI_BIN=str(STANDINS / "dce_cli.py"),
            DCE_STANDIN=str(folder / "standin.json"),
            **{"DCE_DISCORD_API_BASE": "http://127.0.0.1:9/api/v10"} | variables,
        )
        self.folder = self.terminal.folder
        self.archives = folder / "archives"
        self._folder = folder
        self._targets: dict[str, dict[str, object]] = {}
        self._cases: dict[str, dict[str, object]] = {}
        self.target("demo")
        self.room = self.archive("demo", ROOM, [1, 2])
        self.answers(ROOM)

    def target(self, name: str, **keys: object) -> Path:
        """Add a target, or change its keys, and return its folder."""
        place = self.archives / name
        self._targets[name] = {"name": name, "output_dir": str(place), **keys}
        targets = {"archive_root": str(self.archives), "targets": list(self._targets.values())}
        (self.folder / "scrape-targets.json").write_text(json.dumps(targets))
        return place

    def forget(self, name: str) -> None:
        """Take a target out of the file; its folder stays."""
        del self._targets[name]
        self.target("demo")

    def archive(self, target: str, channel_id: str, ids: Sequence[int]) -> Path:
        """Put a channel file into a target's folder."""
        place = self.archives / target / f"Fixture Guild - Testing Grounds - fixture-room [{channel_id}].json"
        return write_channel(place, ids, channel_id=channel_id)

    def answers(self, channel_id: str, case: str = "ok", ids: Sequence[int] = (1, 2, 3), **script: object) -> None:
        """Let the stand-in treat a channel so; ``script`` are further keys of its script."""
        self._cases[channel_id] = {"case": case, "ids": [str(each) for each in ids]}
        script = {"channels": self._cases, "log": str(self._folder / "calls.jsonl"), **script}
        (self._folder / "standin.json").write_text(json.dumps(script))

    def partial(self, target: str, channel_id: str, data: bytes | None = None, *, aged: bool = True) -> Path:
        """Leave what a killed export leaves: the messages 3 and 4, the last one cut off."""
        place = self.archives / target / ".dce-temp" / f"export.{channel_id}.abcdef"
        place.mkdir(parents=True)
        whole = channel_bytes([3, 4], channel_id=channel_id, after="2026-01-02T00:00:00+00:00")
        cut = whole.index(b"message 4") + 3
        (place / "export.json").write_bytes(whole[:cut] if data is None else data)
        if aged:
            os.utime(place / "export.json", (1_700_000_000, 1_700_000_000))
        return place

    def run(self, *words: str | Path, **variables: str) -> Said:
        """Run ``dce-play run --verbose …`` to its end: the markers that scripts look for are not on the page."""
        return self.play("run", "--verbose", *words, **variables)

    def play(self, *words: str | Path, **variables: str) -> Said:
        """Run ``dce-play …`` to its end."""
        terminal = Terminal(folder=self.folder, variables={**self.terminal.variables, **variables})
        return terminal.run(*map(str, words))

    def calls(self) -> list[list[str]]:
        """Return the command lines that the stand-in got, probes and questions for the version left out."""
        log = self._folder / "calls.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [argv for argv in (json.loads(line)["argv"] for line in lines) if "--before" not in argv]

    def tree(self) -> dict[str, bytes]:
        """Return every file below the archive root with its bytes."""
        return dict(tree(self.archives))

    def summaries(self) -> list[dict[str, Any]]:
        """Return the run summaries in the state folder, in the order of the runs and the targets' names."""
        found = sorted((self.folder / "state" / "runs").glob("*/*.summary.json"))
        return [json.loads(path.read_bytes()) for path in found]

    def report(self) -> dict[str, Any]:
        """Return the newest run's report."""
        report: dict[str, Any] = json.loads((self.terminal.runs()[-1] / "report.json").read_bytes())
        return report
