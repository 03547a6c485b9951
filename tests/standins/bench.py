"""A folder of stand-in engines on a PATH of its own, and what they were asked."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DCE = HERE / "dce_cli.py"
ENGINE = HERE / "engine.py"


class EngineBench:
    """Stand-in engines under the names given; nothing else is on the PATH but what they themselves need."""

    def __init__(
        self, folder: Path, *names: str, answers: tuple[str, ...] = (), containers: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self.root = folder / "archives"
        self.root.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        (programs / "python3").symlink_to(sys.executable)
        for name in names:
            (programs / name).symlink_to(ENGINE)
        self._log = folder / "engine.log"
        script = {"log": str(self._log), "answers": answers, "containers": containers, "dce": str(DCE)}
        (folder / "engine.json").write_text(json.dumps(script))
        self.environ = {
            "PATH": str(programs),
            "ENGINE_STANDIN": str(folder / "engine.json"),
            "DCE_STANDIN": str(folder / "dce.json"),
        }
        self.dce({})

    def dce(self, channels: Mapping[str, Mapping[str, object]]) -> None:
        """Say how the DCE inside the containers ends, channel by channel."""
        (self.folder / "dce.json").write_text(json.dumps({"channels": channels, "log": str(self.folder / "dce.log")}))

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What the engines were asked, in order."""
        return [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What the engines were asked to run."""
        return [call for call in self.calls if "run" in call["argv"]]
