"""The real command line in a process of its own, with a state folder and a home of the test's own.

The process is forked from one that has its imports behind it, where that is the same: see ``forked``.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.support import forked


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return standard output as events."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A folder to work in, and ``dce-play`` in it."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    """What stands before the command: that which goes into a machine of the test's own."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "DCE_PLAY_STATE_DIR": str(self.folder / "state"),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **self.variables,
        }

    def argv(self, *words: str) -> list[str]:
        return [*self.prefix, sys.executable, "-m", "dce_play", *words]

    def run(self, *words: str, stdin: str | None = None, timeout_s: float = 120) -> Said:
        """Run a command to its end."""
        done = forked.run(
            self.argv(*words),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            timeout=timeout_s,
        )
        return Said(code=done.returncode, out=done.stdout, err=done.stderr)

    def start(self, *words: str, variables: Mapping[str, str] | None = None, **options: Any) -> "subprocess.Popen[Any]":
        """Begin a command, with the options of ``subprocess.Popen``; the caller ends it."""
        environment = {**self.environment, **(variables or {})}
        return forked.start(self.argv(*words), cwd=self.folder, env=environment, **options)

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    def runs(self) -> list[Path]:
        """Return the run folders, the newest last, without those of single items."""
        return sorted(folder for folder in (self.folder / "state" / "runs").glob("*") if "." not in folder.name)


def terminal_in(folder: Path, **variables: str) -> Terminal:
    """Return a command line in an empty folder."""
    work = folder / "work"
    (work / "home").mkdir(parents=True)
    return Terminal(folder=work, variables=variables)
