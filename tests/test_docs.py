"""Every example in the docs runs: lines after ``$ `` in ``console`` blocks, in order, in a scratch folder per page.

The folder holds ``data`` (a copy of tests/data), ``playbooks``, ``roles`` and ``examples``. What follows a command is
its output: ``…`` stands for any text within a line, a line of ``…`` for any lines. ``# exit N`` after a command is its
exit code. Lines after ``> `` go on with the command, as a shell shows them. What one command exports and where it goes
to holds for the next, and what runs in the background ends with the page.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md"), *(TOP / "roles").rglob("*.md")])
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"`((?:docs|playbooks|roles|tests|schemas|examples|dce_play)/[A-Za-z0-9_./-]+)`")
_EXIT = re.compile(r"\s+# exit ([0-9]+)$")


@dataclass
class Example:
    """One command of a page, and what it should say."""

    command: str
    exit_code: int = 0
    output: list[str] = field(default_factory=list)


def examples(page: Path) -> list[Example]:
    found: list[Example] = []
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        current: Example | None = None
        for line in block.splitlines():
            if line.startswith("$ "):
                command = line[2:]
                exits = _EXIT.search(command)
                code = int(exits[1]) if exits else 0
                current = Example(command=_EXIT.sub("", command), exit_code=code)
                found.append(current)
            elif current is not None and (line == ">" or line.startswith("> ")) and not current.output:
                current.command += f"\n{line[2:]}"
            elif current is not None:
                current.output.append(line)
    return found


def pattern(lines: list[str]) -> re.Pattern[str]:
    parts = []
    for line in lines:
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(map(re.escape, line.rstrip().split("…"))) + r"[ ]*\n")
    return re.compile("".join(parts) + r"\s*")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    shutil.copytree(TOP / "tests" / "data", folder / "data")
    for name in ("playbooks", "roles", "schemas", "examples"):
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, folder / name)
    return folder


@pytest.mark.contract("O30")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if examples(page)], ids=lambda page: str(page.relative_to(TOP))
)
def test_the_examples_of_a_page_run_and_say_what_it_says(page: Path, scratch: Path) -> None:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(scratch.parent),
        "LANG": "C.UTF-8",
        "COLUMNS": "100",
    }
    started: list[int] = []
    try:
        for example in examples(page):
            code, output = typed(example.command, scratch, environment, started)
            told = f"$ {example.command}\n{output}"
            assert code == example.exit_code, told
            if example.output:
                assert pattern(example.output).fullmatch(output), f"{told}\nexpected:\n" + "\n".join(example.output)
    finally:
        for session in started:
            with suppress(ProcessLookupError):
                os.killpg(session, signal.SIGKILL)


_KEEP = """\
cd "$(cat "$HOME/.place" 2>/dev/null || pwd)"; [ -f "$HOME/.exports" ] && . "$HOME/.exports"
keep() { code=$?; export -p > "$HOME/.exports"; pwd > "$HOME/.place"; exit $code; }
trap keep EXIT
"""


def typed(command: str, folder: Path, environment: dict[str, str], started: list[int]) -> tuple[int, str]:
    """Run a command as the next line of a shell; return its exit code and what it said."""
    with tempfile.TemporaryFile("w+") as said:  # a pipe would stay open as long as what runs in the background
        shell = subprocess.Popen(
            ["/bin/bash", "-c", f"{_KEEP}{command}\n"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(shell.pid)
        code = shell.wait(timeout=120)
        said.seek(0)
        return code, said.read()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    for named in _LINK.findall(page.read_text(encoding="utf-8")):
        if "NAME" in named:
            continue
        assert (TOP / named.rstrip("/.")).exists(), named
