"""The page for the first lab host and receiver, every command of it as it stands; only the ports are our own."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "first-lab-host.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def test_every_command_of_the_page_works_as_it_stands(tmp_path: Path) -> None:
    for program in ("openssl", "curl", "zstd", "bash"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "dce-play").write_text(f'#!/bin/sh\nexec {sys.executable} -m dce_play "$@"\n')
    (programs / "dce-play").chmod(0o755)
    text = "".join(_BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    text = text.replace("8490", free_port()).replace("8491", free_port())
    script = tmp_path / "page.sh"
    script.write_text(f"set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n{text}\n")
    done = subprocess.run(
        ["bash", str(script)],
        cwd=tmp_path,
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).parents[3]),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lab = tmp_path / "lab"
    assert (lab / "data" / "shipped" / "ep-0001.receipt.json").is_file()
    assert sorted(path.name for path in (lab / "received" / "store").glob("*.zst")) == [
        "ep-0001.tar.zst",
        "ep-0002.tar.zst",
    ]
    assert '"id":"ep-0002"' in done.stdout.replace(" ", "")
    secret = (lab / "lab-1.token").read_text().strip()
    assert secret.startswith("dcp_")
    assert secret not in done.stdout + done.stderr
