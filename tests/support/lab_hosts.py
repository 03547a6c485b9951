"""A lab host for tests: a data folder, episodes in it, a ship.toml, and the real commands."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dce_play.services.shipper import open_shipper
from dce_play.system.clock import Clock
from dce_play.transfer.sending.settings import load_config
from dce_play.transfer.sending.ship_pass import PassResult
from tests.support import forked
from tests.support.stand_in_receiver import TOKEN

COMMIT = "a1" * 20
_QUICK = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(Path(__file__).parents[2])}


@dataclass(slots=True, kw_only=True)
class LabHost:
    """One data folder and its configuration."""

    folder: Path
    url: str
    more: str = ""
    """Lines for the top of ship.toml."""
    receiver: str = ""
    """Lines for its [receiver], and tables after it."""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def config(self) -> Path:
        return self.folder / "ship.toml"

    def write_config(self) -> Path:
        """Write ship.toml; the token is in a file beside it."""
        self.data.mkdir(exist_ok=True, parents=True)
        (self.data / "episodes").mkdir(exist_ok=True)
        (self.folder / "token").write_text(f"{TOKEN}\n", encoding="ascii")
        self.config.write_text(
            f'host_id = "lab-1"\ndata_dir = "{self.data}"\nmin_free = 0\n'
            f"quarantine_cleanup_interval_s = 0\n{self.more}\n"
            f'[receiver]\nurl = "{self.url}"\ntoken = "file:token"\n{self.receiver}\n',
            encoding="utf-8",
        )
        return self.config

    def episode(self, name: str, *, commit: str | None = COMMIT, files: Mapping[str, bytes] | None = None) -> Path:
        """Write an episode, its meta.json last."""
        folder = self.data / "episodes" / name
        folder.mkdir(parents=True)
        for path, data in (files if files is not None else {"frames/1.bin": name.encode() * 50}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        meta: dict[str, Any] = {"note": name} if commit is None else {"note": name, "code_version": {"commit": commit}}
        (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        return folder

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "dce_play", *words, "--config", str(self.config)]

    @property
    def environment(self) -> dict[str, str]:
        return {**_QUICK, "HOME": str(self.folder), "DCE_PLAY_STATE_DIR": str(self.folder / "state"), **self.variables}

    def run(
        self, *words: str, timeout_s: float = 60, prefix: tuple[str, ...] = ()
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return forked.run(
            [*prefix, *self.argv(*words)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
        )

    def json(self, *words: str, code: int | None = None) -> dict[str, Any]:
        """Run a command with --format json; return its one object."""
        done = self.run(*words, "--format", "json")
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert done.stdout.count("\n") == 1, done.stderr
        value: dict[str, Any] = json.loads(done.stdout)
        return value

    def where(self) -> dict[str, list[str]]:
        """Return the visible names in each folder."""
        return {
            name: sorted(path.name for path in (self.data / name).glob("*") if not path.name.startswith("."))
            for name in ("episodes", "outbox", "shipped", "quarantine")
        }


def lab_host(folder: Path, url: str, *, more: str = "", receiver: str = "") -> LabHost:
    """Return a lab host whose configuration is written."""
    host = LabHost(folder=folder, url=url, more=more, receiver=receiver)
    host.write_config()
    return host


def ship(host: LabHost, *, clock: Clock | None = None, **variables: str) -> PassResult:
    """Make one pass in this process, as ``ship once`` does."""
    with open_shipper(load_config(host.config), environment=variables, clock=clock) as shipper:
        return shipper.once()


def outcomes(done: PassResult) -> dict[str, tuple[str, int, str]]:
    """Return outcome, status and code by episode."""
    return {each.id: (str(each.verdict.outcome), each.verdict.http, each.verdict.code) for each in done.results}
