"""Tar headers at the edge of what a field holds, and headers that no tar of ours has."""

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

import msgspec
import pytest

from dce_play.backup.definitions.model import FilesKeys, ModuleKeys
from dce_play.backup.engines.files.engine import ENGINE
from dce_play.backup.protocols import DrillOptions
from dce_play.backup.tree import pax
from dce_play.backup.tree.drill import _MOST_NAMED
from dce_play.backup.tree.pax import BLOCK, END, Kind, Member, NotATar, encode_header, padding
from dce_play.backup.tree.tar import _MAX_RECORDS_BYTES, TarReader
from tests.support.engine_services import EngineServices, LosingBackup, module_of, take


def read(data: bytes) -> Member:
    """Return the first member of a tar that begins so."""
    return next(iter(TarReader(io.BytesIO(data).read)))


@pytest.mark.parametrize("more", [0, 1], ids=["the field's most", "more"])
@pytest.mark.parametrize(
    ("key", "most"),
    [("size_bytes", pax._MAX_OCTAL_SIZE), ("uid", pax._MAX_OCTAL_ID), ("gid", pax._MAX_OCTAL_ID)],
)
def test_a_number_that_its_field_does_not_hold_stands_in_a_record(key: str, most: int, more: int) -> None:
    header = encode_header(msgspec.structs.replace(Member(name=b"a", kind=Kind.FILE), **{key: most + more}))
    assert getattr(read(header), key) == most + more
    record = {"size_bytes": "size"}.get(key, key)
    assert (f" {record}={most + more}\n".encode() in header) is bool(more)
    with tarfile.open(fileobj=io.BytesIO(header + END)) as archive:  # Python's reader, not ours
        listed = archive.next()
    assert listed is not None
    assert getattr(listed, record) == most + more


def with_records(body: bytes) -> bytes:
    """Return a tar whose one member has these extended records."""
    plain = encode_header(Member(name=b"a", kind=Kind.FILE))
    first = pax._ustar(b"././@PaxHeader", b"x", len(body), Member(name=b"p", kind=Kind.FILE))
    return first + body + padding(len(body)) + plain[-BLOCK:] + END


def test_an_extended_header_is_so_large_at_most() -> None:
    def of(size: int) -> bytes:
        start = b"%d SCHILY.xattr.user.x=" % size
        return start + b"x" * (size - len(start) - 1) + b"\n"

    kept = read(with_records(of(_MAX_RECORDS_BYTES))).extra["SCHILY.xattr.user.x"]
    assert len(kept) > _MAX_RECORDS_BYTES - 100
    with pytest.raises(NotATar, match=f"an extended header of {_MAX_RECORDS_BYTES + 1} bytes at byte 0"):
        read(with_records(of(_MAX_RECORDS_BYTES + 1)))


def record(key: str, value: bytes) -> bytes:
    return pax._record(key.encode(), value)


@pytest.mark.parametrize("key", ["size", "uid", "gid", "mtime", "GNU.sparse.realsize"])
@pytest.mark.parametrize("value", [b"", b"x", b"-", b"0x10", b"9" * 5000, b"\xb2", b"1_0", b"--1"])
def test_a_number_that_is_none_is_no_tar(key: str, value: bytes) -> None:
    with pytest.raises(NotATar, match="a number that is none"):
        read(with_records(record(key, value)))


def test_a_number_in_an_extended_header_has_so_many_digits() -> None:
    most = pax._MOST_DIGITS
    assert read(with_records(record("uid", b"9" * most))).uid == int("9" * most)
    with pytest.raises(NotATar, match="a number that is none"):
        read(with_records(record("uid", b"9" * (most + 1))))


@pytest.mark.parametrize("mtime", [b"-1.5", b"-0.5", b"0", b"12.000000001", b"12.0000000019"])
def test_a_time_has_nanoseconds_and_a_sign(mtime: bytes) -> None:
    assert read(with_records(record("mtime", mtime))).mtime_ns == round(float(mtime[:12]) * 10**9)


@pytest.mark.parametrize("more", [0, 1])
def test_a_drill_names_so_many_differences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data = tmp_path / "data"
    data.mkdir()
    for number in range(_MOST_NAMED + more):
        (data / f"{number:03}").write_bytes(b"content")
    module = module_of(ModuleKeys(name="m", files=FilesKeys(paths=(str(data),))), engine="files", class_name="E")
    stored = take(ENGINE, module, EngineServices(), tmp_path / "backup.tar")
    losing = LosingBackup(manifest=stored.manifest, path=stored.path, below="dce-drill-*/data/**/*")
    drilled = ENGINE.drill(losing, EngineServices(), DrillOptions())
    named = [each.what for each in drilled.differences if each.restored is None]
    assert len(named) == _MOST_NAMED
    assert drilled.restored["files"] == 0
    assert drilled.expected["files"] == _MOST_NAMED + more


def test_the_systems_tar_reads_what_is_at_a_fields_edge(tmp_path: Path) -> None:
    name = b"n" * 100
    header = encode_header(Member(name=name, kind=Kind.FILE, uid=pax._MAX_OCTAL_ID + 1))
    (tmp_path / "a.tar").write_bytes(header + END)
    argv = ["tar", "--numeric-owner", "-tvf", str(tmp_path / "a.tar")]
    listed = subprocess.run(argv, capture_output=True, check=True, timeout=30).stdout
    assert name in listed
    assert b"2097152/0" in listed
