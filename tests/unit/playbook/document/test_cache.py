"""What is kept of files that were read."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dce_play.playbook.document.cache import Cache
from dce_play.source import JsonValue
from tests.support.bounds import at_most


def test_a_reading_as_large_as_the_cache_takes_is_kept_and_a_larger_one_is_not(tmp_path: Path) -> None:
    cache, largest = Cache(tmp_path / "cache", "salt"), at_most("playbook.document.cache:_MAX_ENTRY_BYTES")
    whole = "x" * (largest - 2 - 1 - 64)  # and two quotes, the end of the line and the digest
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


def _cut(data: bytes) -> bytes:
    return data[:-70]


def _zeroed(data: bytes) -> bytes:
    return data[:2] + bytes(len(data) - 2)


def _of_another(data: bytes) -> bytes:
    return data.replace(b"true", b"null")


@pytest.mark.parametrize("torn", [_cut, _zeroed, _of_another, lambda _: b"", lambda data: data[:5] + data[6:]])
def test_an_entry_that_a_power_loss_tore_is_not_believed_and_made_again(
    tmp_path: Path, torn: Callable[[bytes], bytes]
) -> None:
    cache = Cache(tmp_path / "cache", "salt")
    value: dict[str, JsonValue] = {"safe": True, "numbers": [12, 345]}
    cache.put("document", "a", value)
    (entry,) = cache.folder.iterdir()
    entry.write_bytes(torn(entry.read_bytes()))
    assert cache.get("document", "a") is None
    cache.put("document", "a", value)
    assert cache.get("document", "a") == value


@pytest.mark.strace
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_an_entry_is_written_whole_beside_its_name_and_without_a_sync(tmp_path: Path) -> None:
    code = "import sys, pathlib; from dce_play.playbook.document.cache import Cache;"
    code += " Cache(pathlib.Path(sys.argv[1]), 'salt').put('document', 'a', [1])"
    trace = tmp_path / "trace"
    argv = ["strace", "-f", "-o", str(trace), "-etrace=/^(fsync|fdatasync|sync|rename)", sys.executable, "-c", code]
    subprocess.run([*argv, str(tmp_path / "cache")], check=True)
    calls = [line.split(None, 1)[1].partition("(")[0] for line in trace.read_text().splitlines() if "(" in line]
    assert [call for call in calls if call.startswith("rename")]
    assert not [call for call in calls if "sync" in call]


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
