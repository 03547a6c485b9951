"""Documents that are read from the cache are what the reader of YAML makes of the file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from dce_play.errors import UsageError
from dce_play.playbook.document.document import load_document
from dce_play.playbook.document.kept import KeptDocuments
from dce_play.source import InvalidDocument
from tests.support.bounds import at_most

TEXT = "version: 1  # and a comment\nmodules:\n  - {name: a, paths: ['ä', 0x10, 1.5, ~]}\n"
_SHIPPED = Path(__file__).parents[4] / "dce_play"


def environment(folder: Path) -> Mapping[str, str]:
    return {"DCE_PLAY_CACHE_DIR": str(folder / "cache")}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "backup.yml"
    written.write_text(TEXT, encoding="utf-8")
    return written


def keep(path: Path, **more: tuple[str, ...]) -> None:
    """Read a file in a command that comes to a good end."""
    documents = KeptDocuments(environment(path.parent), **more)
    documents.load(path)
    documents.keep()


def entries(path: Path) -> list[Path]:
    return list((path.parent / "cache").glob("*"))


@pytest.mark.parametrize(
    "shipped",
    [_SHIPPED / "backup" / "classes.yaml", *sorted((_SHIPPED.parent / "playbooks").glob("*.yml"))],
    ids=lambda each: each.name,
)
def test_a_kept_document_is_the_one_that_was_read(shipped: Path, tmp_path: Path) -> None:
    path = tmp_path / shipped.name
    path.write_bytes(shipped.read_bytes())
    keep(path)
    assert len(entries(path)) == 1
    assert KeptDocuments(environment(tmp_path)).load(path) == load_document(path)


def test_a_document_is_believed_to_be_what_is_kept_of_it(path: Path) -> None:
    keep(path)
    (entry,) = entries(path)
    data = entry.read_bytes().rpartition(b"\n")[0].replace(b'"a"', b'"b"')
    entry.write_bytes(data + b"\n" + hashlib.sha256(data).hexdigest().encode())
    value = KeptDocuments(environment(path.parent)).load(path).value
    assert value == {"version": 1, "modules": [{"name": "b", "paths": ["ä", 16, 1.5, None]}]}


def test_a_file_that_changed_is_read_anew(path: Path) -> None:
    keep(path)
    path.write_text(TEXT.replace("name: a", "name: other"), encoding="utf-8")
    assert KeptDocuments(environment(path.parent)).load(path) == load_document(path)


def test_nothing_is_kept_of_a_command_that_failed(path: Path) -> None:
    KeptDocuments(environment(path.parent)).load(path)
    assert entries(path) == []


def test_nothing_is_kept_of_files_that_are_somebody_elses(path: Path) -> None:
    keep(path, never=(path.name,))
    assert entries(path) == []


def test_an_entry_that_is_torn_counts_as_missing(path: Path) -> None:
    keep(path)
    (entry,) = entries(path)
    entry.write_text('{"value": 1, "spans": [[', encoding="utf-8")
    assert KeptDocuments(environment(path.parent)).load(path) == load_document(path)


def test_a_document_that_is_too_large_is_read_anew_each_time(path: Path) -> None:
    largest = at_most("playbook.document.kept:_LARGEST_KEPT")
    path.write_text("# " + "x" * (largest - 3) + "\n" + "a: 1", encoding="utf-8")
    keep(path)
    assert entries(path) == []
    path.write_text("a: 1\n# " + "x" * (largest - 7), encoding="utf-8")
    keep(path)
    assert len(entries(path)) == 1


@pytest.mark.parametrize("data", [b"a: [", b"\xff\xfe", b"\xef\xbb\xbfa: 1\n"])
def test_what_cannot_be_read_is_told_as_ever_and_not_kept(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    for _ in range(2):
        with pytest.raises(InvalidDocument) as kept:
            keep(path)
        with pytest.raises(InvalidDocument) as read:
            load_document(path)
        assert kept.value.problems == read.value.problems
    assert entries(path) == []


def test_a_file_that_is_not_there_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        KeptDocuments(environment(tmp_path)).load(tmp_path / "none.yml")
