"""A bucket's tar that is not what its index says is refused, whatever differs."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from dce_play.backup.engines.s3.contents import open_table, read_objects
from dce_play.backup.engines.s3.index import IndexLine, encode_line
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.tree.pax import Kind, Member
from dce_play.backup.tree.tar import TarWriter
from tests.support.engine_services import FileSink

Found = tuple[str, bytes]
WHOLE: tuple[Found, ...] = (("objects/a", b"first"), ("objects/b/c", b"second"))


def line(member: str, data: bytes) -> IndexLine:
    return IndexLine(
        key=member,
        member=member,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        etag="",
        content_type="",
        metadata={},
        last_modified="2026-11-28T00:00:00Z",
        version_id=None,
    )


INDEX = b"".join(encode_line(line(name.removeprefix("objects/"), data)) for name, data in WHOLE)


def archive(path: Path, members: Sequence[Found], *, kind: Kind = Kind.FILE) -> bytes:
    """Write a tar of these members, the first of this kind, and return its bytes."""
    sink = FileSink(path)
    tar = TarWriter(sink)
    for number, (name, data) in enumerate(members):
        if number == 0 and kind is Kind.SYMLINK:
            tar.begin(Member(name=name.encode(), kind=kind, link=b"elsewhere"))
        else:
            tar.whole(Member(name=name.encode(), kind=Kind.FILE, size_bytes=len(data)), data)
    tar.end()
    sink.finish()
    return path.read_bytes()


CASES: dict[str, tuple[Sequence[Found], ErrorId, str]] = {
    "no index": (WHOLE, ErrorId.TRUNCATED, "has no index"),
    "no object": ((WHOLE[0], ("index.jsonl", INDEX)), ErrorId.INCOMPLETE, "lacks the object 'b/c'"),
    "other bytes": (
        (("objects/a", b"f1rst"), WHOLE[1], ("index.jsonl", INDEX)), ErrorId.VERIFY_FAILED, "'a' is not what the index",
    ),
    "fewer bytes": (
        (("objects/a", b"firs"), WHOLE[1], ("index.jsonl", INDEX)), ErrorId.VERIFY_FAILED, "'a' is not what the index",
    ),
    "more behind the index": (
        (*WHOLE, ("index.jsonl", INDEX), ("objects/d", b"")), ErrorId.VERIFY_FAILED, "goes on behind its index",
    ),
    "what is no object": ((("else/a", b"first"), ("index.jsonl", b"")), ErrorId.VERIFY_FAILED, "that is no object"),
    "half a line": ((*WHOLE, ("index.jsonl", INDEX[:-1])), ErrorId.TRUNCATED, "ends inside a line"),
    "a line that is none": ((*WHOLE, ("index.jsonl", INDEX + b"{}\n")), ErrorId.VERIFY_FAILED, "cannot be read"),
}  # fmt: skip


@pytest.mark.contract("K6", "N3")
def test_what_is_whole_is_counted(tmp_path: Path) -> None:
    data = archive(tmp_path / "tar", (*WHOLE, ("index.jsonl", INDEX)))
    with open_table(tmp_path) as table:
        assert read_objects(io.BytesIO(data), table).counts() == {"objects": 2, "bytes": 11, "versions": 0}


@pytest.mark.contract("K6", "N3")
@pytest.mark.parametrize("case", CASES)
def test_an_archive_that_is_not_what_its_index_says_is_refused(tmp_path: Path, case: str) -> None:
    members, error_id, message = CASES[case]
    data = archive(tmp_path / "tar", members)
    with open_table(tmp_path) as table, pytest.raises(BackupError, match=message) as caught:
        read_objects(io.BytesIO(data), table)
    assert caught.value.error_id is error_id


@pytest.mark.contract("K6", "N7")
def test_a_link_among_the_objects_is_refused(tmp_path: Path) -> None:
    data = archive(tmp_path / "tar", (("objects/a", b""), ("index.jsonl", b"")), kind=Kind.SYMLINK)
    with open_table(tmp_path) as table, pytest.raises(BackupError, match="that is no object") as caught:
        read_objects(io.BytesIO(data), table)
    assert caught.value.error_id is ErrorId.VERIFY_FAILED
