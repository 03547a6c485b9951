"""The commands of a page of the documentation, run as they stand there."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.command_line import Terminal

TOP = Path(__file__).parents[2]
PAGES = TOP / "docs" / "how-to"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[str]:
    """Return the commands of a page, one a line."""
    return [line for block in _BLOCK.findall((PAGES / page).read_text()) for line in block.splitlines() if line]


def run_command(command: str, terminal: Terminal, extra: Mapping[str, str]) -> str:
    """Run a command of a page; nobody sits at this test's terminal, so taking a backup is allowed by name."""
    here = TOP / ".venv" / "bin"
    spelled = command.replace("dce-play backup run", "dce-play backup run --allow-unattended")
    spelled = spelled.replace("dce-play", " ".join(terminal.argv()))
    environment = {**terminal.environment, **extra, "PATH": f"{os.environ['PATH']}:{here}"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", spelled],
        cwd=terminal.folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
