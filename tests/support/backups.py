"""A folder with one module of files, and the backup commands on it."""

import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import forked
from tests.support.command_line import Said, Terminal, terminal_in

DATA = {"a.txt": "first\n", "sub/b.txt": "second\n", "sub/deep/c.txt": "third\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Yard:
    """A working folder with ``backup.yml``, the data of the module ``kuma`` and backup_root."""

    terminal: Terminal
    data: Path
    root: Path

    def define(self, **keys: Any) -> None:
        """Write the definition of ``kuma`` with these keys more; a key of ``None`` is left out."""
        module = {"name": "kuma", "files": {"paths": [str(self.data)]}, "restore_notes": "none",
                  "health": {"none": True}, **keys}  # fmt: skip
        self.define_all({key: value for key, value in module.items() if value is not None})

    def define_all(self, *modules: Mapping[str, Any], **top: Any) -> None:
        """Write the modules file."""
        whole = {"version": 1, "backup_root": str(self.root), "modules": modules, **top}
        self.terminal.write("backup.yml", json.dumps(whole))

    def run(self, *words: str, stdin: str | None = None) -> Said:
        """Run a backup command where nobody is."""
        return self.terminal.run("backup", *words, stdin=stdin)

    def ask(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a backup command and return its exit code and its one JSON object."""
        said = self.run(*words, "--format", "json")
        assert said.out.count("\n") == 1, said
        found: dict[str, Any] = json.loads(said.out)
        return said.code, found

    def take(self, *words: str) -> dict[str, Any]:
        """Take a backup of ``kuma`` and return its row."""
        code, found = self.ask("run", "kuma", "--allow-unattended", *words)
        assert code == 0, found
        row: dict[str, Any] = found["backups"][0]
        return row

    def names(self) -> list[str]:
        """Return what lies in backup_root, without our own folder."""
        return sorted(path.name for path in self.root.iterdir() if path.name != ".dce-backup")

    def start(self, *words: str, wrapper: tuple[str, ...] = ()) -> "subprocess.Popen[bytes]":
        """Begin a backup command and return its process; the caller ends it."""
        return forked.start(
            [*wrapper, *self.terminal.argv("backup", *words)],
            cwd=self.terminal.folder,
            env=self.terminal.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def under(self, *wrapper: str, words: tuple[str, ...]) -> Said:
        """Run a backup command under another program, such as strace."""
        if wrapper[0] == "strace":
            done = forked.run_traced(
                wrapper,
                self.terminal.argv("backup", *words),
                cwd=self.terminal.folder,
                env=self.terminal.environment,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            return Said(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode(errors="replace"))
        process = self.start(*words, wrapper=wrapper)
        out, err = process.communicate(timeout=120)
        return Said(code=process.returncode, out=out.decode(), err=err.decode(errors="replace"))


def yard_in(folder: Path, **variables: str) -> Yard:
    """Return a yard with the data of ``DATA``; nothing was backed up yet."""
    data = folder / "data"
    for name, text in DATA.items():
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yard = Yard(terminal=terminal_in(folder, **variables), data=data, root=folder / "backups")
    yard.define()
    return yard


def at_terminal(yard: Yard, *words: str, typed: str = "", timeout_s: float = 60.0) -> tuple[int, str]:
    """Run a backup command with a terminal of its own; return its exit code and all that it showed."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(yard.terminal.folder)
        os.execve(  # noqa: S606 - the child of a fork
            yard.terminal.argv()[0], yard.terminal.argv("backup", *words), yard.terminal.environment
        )
    shown = b""
    answered = not typed
    deadline = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 0.2)[0]:
                continue
            try:
                part = os.read(master, 1 << 16)
            except OSError:
                break
            if not part:
                break
            shown += part
            if not answered and (b"restore it" in shown or b"[y/N]" in shown):
                os.write(master, typed.encode() + b"\n")
                answered = True
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), shown.decode(errors="replace")
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(master)


def wait_for(condition: Any, *, within_s: float, what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about within {within_s} s"
        time.sleep(0.02)
