"""What tests of the lock share."""

from pathlib import Path

import pytest


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Give a lock file that nobody holds."""
    path = tmp_path / ".dce-scrape.lock"
    path.touch()
    return path
