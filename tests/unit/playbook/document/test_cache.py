"""What is kept of files that were read."""

import os
from pathlib import Path

import pytest

from dce_play.playbook.document.cache import Cache
from tests.support.bounds import at_most


def test_a_reading_as_large_as_the_cache_takes_is_kept_and_a_larger_one_is_not(tmp_path: Path) -> None:
    cache, largest = Cache(tmp_path / "cache", "salt"), at_most("playbook.document.cache:_MAX_ENTRY_BYTES")
    whole = "x" * (largest - 2)  # and two quotes
    cache.put("document", "a", whole)
    assert cache.get("document", "a") == whole
    cache.put("document", "b", whole + "x")
    assert cache.get("document", "b") is None
    (kept,) = cache.folder.iterdir()
    assert kept.stat().st_size == largest


def test_an_entry_that_somebody_made_too_large_counts_as_missing(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", "salt")
    cache.put("document", "a", "small")
    (entry,) = cache.folder.iterdir()
    entry.write_bytes(b'"small"' + b" " * at_most("playbook.document.cache:_MAX_ENTRY_BYTES"))
    assert cache.get("document", "a") is None


@pytest.fixture
def kept(tmp_path: Path) -> Cache:
    """Give a cache with an entry."""
    cache = Cache(tmp_path / "cache", "salt")
    cache.put("document", "a", "planted, for all we know")
    assert cache.get("document", "a") is not None
    return cache


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_not_believed(kept: Cache, mode: int) -> None:
    kept.folder.chmod(mode)
    assert kept.get("document", "a") is None


def test_a_folder_behind_a_link_is_not_believed(kept: Cache, tmp_path: Path) -> None:
    kept.folder.rename(tmp_path / "elsewhere")
    kept.folder.symlink_to(tmp_path / "elsewhere")
    assert kept.get("document", "a") is None


@pytest.mark.root
def test_a_folder_of_somebody_else_is_not_believed(kept: Cache) -> None:
    os.chown(kept.folder, 65534, 65534)
    assert kept.get("document", "a") is None
