"""What is kept of files that were read."""

from pathlib import Path

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
