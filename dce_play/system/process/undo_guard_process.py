"""The guard process itself: ``python undo_guard_process.py MAX_S [NOTE]``, standard library only: it starts at once.

It reads JSON lines and answers each with one. The end of its input is the end of whoever it guards.
When it has kept every promise by then, the note that tells of them is removed.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import TypedDict

_TRIES = 3


class Promise(TypedDict):
    """A program."""

    argv: list[str]
    env: dict[str, str]
    """What is added to its environment."""
    cwd: str | None
    timeout_s: float
    first: bool
    """Whether what was promised earlier waits for its success."""


def main(max_s: float, note: str) -> int:
    """Serve until the input ends. Returns the exit code: 1 when a promise could not be kept."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    promises: list[Promise] = []
    failed: list[str] = []
    expired = False
    deadline = 0.0
    rest = b""
    while True:
        wait_s = max(0.0, deadline - time.monotonic()) if promises else None
        ready, _, _ = select.select([0], [], [], wait_s)
        if not ready:
            failed += _keep(promises)
            expired = True
            continue
        part = os.read(0, 1 << 16)
        if not part:
            was_asked = not promises  # then whoever asked looks after the note
            if failed + _keep(promises):
                return 1
            if not was_asked and note and os.path.lexists(note):
                os.unlink(note)  # noqa: PTH108 - this file starts without pathlib, at once
            return 0
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            message = json.loads(line)
            answer: dict[str, object] = {"id": message["id"]}
            if "argv" in message:
                deadline = time.monotonic() + max_s if not promises else deadline
                promises.append(message)
            elif "forget" in message:
                promises.clear()
            elif "undo" in message:
                failed += _keep(promises)
                answer |= {"expired": expired, "failed": failed}
                failed, expired = [], False
            os.write(1, json.dumps(answer).encode() + b"\n")


def _keep(promises: list[Promise]) -> list[str]:
    """Run what was promised, last first, and forget it; return a line for each that failed every time.

    What must be done first and cannot be is the end: what was promised before it is not done.
    """
    failed = []
    while promises:
        promise = promises.pop()
        said = ""
        for attempt in range(_TRIES):
            said = _run(promise)
            if not said:
                break
            time.sleep(0.2 * attempt)
        if said:
            failed.append(f"{promise['argv'][0]}: {said}")
            if promise["first"]:
                failed += [f"{other['argv'][0]}: not run, because of that" for other in reversed(promises)]
                promises.clear()
    return failed


def _run(promise: Promise) -> str:
    """Run a program; return what went wrong, or nothing."""
    try:
        ended = subprocess.run(
            promise["argv"],
            env={**os.environ, **promise["env"]},
            cwd=promise["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=promise["timeout_s"],
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if ended.returncode == 0:
        return ""
    return f"exit code {ended.returncode}: {ended.stderr.decode(errors='replace').strip()[-500:]}"


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), (*sys.argv[2:], "")[0]))
