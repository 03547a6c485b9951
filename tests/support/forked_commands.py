"""Many command lines at once, each in a process of its own, without paying for each one's imports.

``run_all`` starts this file as a program: it imports what ``dce-play run`` needs, and forks once a command. What runs
in the fork is the real command line with its own folder, environment, streams and exit code.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_WARM = (
    "dce_play.cli.app.main",
    "dce_play.cli.run.run",
    "dce_play.cli.archive.export",
    "dce_play.discord.auth.known_secrets",
    "dce_play.discord.exporters.discord_api.exporter",
    "dce_play.system.guarded_network",
    "dce_play.discord.scrape.target",
    "dce_play.playbook.document.yaml_events",
    "dce_play.steps.archive.verify",
    "dce_play.steps.scrape.run",
    "jinja2",
    "psutil",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command line; ``out`` gets both streams."""

    words: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    out: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one ended. ``code`` is ``None`` where it had to be killed."""

    code: int | None
    seconds: float
    processor_s: float


def run_all(commands: Sequence[Command], *, at_once: int, limit_s: float) -> list[Ended]:
    """Run the commands, so many at once; whichever takes longer than the limit is killed."""
    orders = [
        {"words": [*each.words], "folder": str(each.folder), "env": dict(each.environment), "out": str(each.out)}
        for each in commands
    ]
    done = subprocess.run(
        [sys.executable, __file__, str(at_once), str(limit_s)],
        input=json.dumps(orders),
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=3600,
    )
    return [Ended(code=code, seconds=took, processor_s=cpu) for code, took, cpu in json.loads(done.stdout)]


def _become(order: dict[str, object]) -> None:
    """Be the command line, as ``python -m dce_play`` would."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(str(order["out"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, nothing), (1, out), (2, out)):
        os.dup2(source, target)
    os.chdir(str(order["folder"]))
    env, words = order["env"], order["words"]
    assert isinstance(env, dict)
    assert isinstance(words, list)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["dce-play", *words]
    from dce_play.__main__ import main

    main()


def _serve() -> None:
    at_once, limit_s = int(sys.argv[1]), float(sys.argv[2])
    orders = json.load(sys.stdin)
    for module in _WARM:
        __import__(module)
    waiting = list(enumerate(orders))[::-1]
    running: dict[int, tuple[int, float]] = {}
    ended: dict[int, tuple[int | None, float, float]] = {}
    killed: set[int] = set()
    while waiting or running:
        while waiting and len(running) < at_once:
            number, order = waiting.pop()
            pid = os.fork()
            if pid == 0:
                _become(order)
                sys.exit(0)
            running[pid] = (number, time.monotonic())
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if pid:
            number, began = running.pop(pid)
            code = None if pid in killed else os.waitstatus_to_exitcode(status)
            ended[number] = (code, time.monotonic() - began, usage.ru_utime + usage.ru_stime)
            continue
        for pid, (_, began) in running.items():
            if time.monotonic() - began > limit_s and pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.02)
    print(json.dumps([ended[number] for number in range(len(orders))]))


if __name__ == "__main__":
    _serve()
