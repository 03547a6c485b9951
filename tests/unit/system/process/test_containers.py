"""Asking an engine about a container, with a stand-in for the engine."""

from pathlib import Path

import pytest

from dce_play.system.process.containers import container_runs
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker

ENGINE = """#!/bin/sh
case "$4" in
    up) echo true ;;
    down) echo false ;;
    gone) echo "Error: no such object: gone" >&2; exit 125 ;;
    *) echo "Cannot connect to the daemon" >&2; exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("container", "runs"),
    [
        ("podman:up", True),
        ("podman:down", False),
        ("podman:gone", False),
        ("podman:other", None),
        ("docker:up", None),  # not installed here
        ("podman:--help", None),
        ("touch:up", None),
        ("podman", None),
    ],
)
def test_an_engine_is_asked_and_only_an_engine(tmp_path: Path, container: str, runs: bool | None) -> None:
    for name in ("podman", "touch"):
        (tmp_path / name).write_text(ENGINE, encoding="ascii")
        (tmp_path / name).chmod(0o755)
    ask = container_runs(LocalExecutor({"PATH": str(tmp_path)}, Masker()))
    assert ask(container) is runs
