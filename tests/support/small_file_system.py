"""A real file system that is soon full: a tmpfs of few bytes, or of few files."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_file_system(folder: Path, limit: str) -> Iterator[None]:
    """Mount it over a folder, with a limit such as ``size=300000``; skip, aloud, where that is not allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", limit, "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs may be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def enlarge(folder: Path) -> None:
    """Make room on it."""
    subprocess.run(["mount", "-o", "remount,size=64m,nr_inodes=10000", str(folder)], check=True)
