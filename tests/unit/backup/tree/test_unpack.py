"""A tar that somebody else wrote: nothing leaves the folder, nothing is written twice, nothing comes unchecked."""

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.tree.check import read_tree
from dce_play.backup.tree.index import ContentSum, RunningIndex
from dce_play.backup.tree.pax import Kind, Member
from dce_play.backup.tree.tar import INDEX, TarWriter
from dce_play.backup.tree.unpack import TreeUnpacker, UnpackRules
from tests.support.engine_services import FileSink

DATA = b"data"
Found = tuple[Member, bytes]


def file(name: bytes, data: bytes = DATA) -> Found:
    return Member(name=name, kind=Kind.FILE, size_bytes=len(data), mode=0o600), data


def folder(name: bytes) -> Found:
    return Member(name=name, kind=Kind.FOLDER, mode=0o700), b""


def link(name: bytes, to: bytes, kind: Kind = Kind.SYMLINK) -> Found:
    return Member(name=name, kind=kind, link=to), b""


def index_of(members: Sequence[Found]) -> bytes:
    """Return the lines of the index of these members."""
    running = RunningIndex()
    lines = []
    for member, data in members:
        digest = ContentSum(member)
        digest.feed(0, data)
        lines.append(running.add(member, digest.hexdigest() if member.kind is Kind.FILE else ""))
    return b"".join(lines)


def index_member(lines: bytes) -> Found:
    return Member(name=INDEX, kind=Kind.FILE, size_bytes=len(lines), mode=0o600), lines


class Place:
    """A folder to unpack into, with somebody else's file beside it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.out = top / "out"
        self.out.mkdir()
        (top / "victim").write_text("somebody else's")

    def archive(
        self, members: Sequence[Found], *, behind: Sequence[Found] = (), index: bytes | None = None
    ) -> io.BytesIO:
        """Return a tar of these members and their index, or another one; ``behind`` stand after it."""
        sink = FileSink(self.top / "tar")
        tar = TarWriter(sink)
        for member, data in members:
            tar.whole(member, data)
        told = index_of(members) if index is None else index
        if told:
            tar.whole(*index_member(told))
        for member, data in behind:
            tar.whole(member, data)
        tar.end()
        sink.finish()
        return io.BytesIO((self.top / "tar").read_bytes())

    def unpack(self, tar: io.BytesIO) -> None:
        descriptor = os.open(self.out, os.O_RDONLY | os.O_DIRECTORY)
        try:
            TreeUnpacker(descriptor, UnpackRules(owners=False)).unpack(tar.read)
        finally:
            os.close(descriptor)

    def refused(self, tar: io.BytesIO) -> ErrorId:
        """Unpack it, and return with what it is refused; nothing but the folder may have changed."""
        with pytest.raises(BackupError) as caught:
            self.unpack(tar)
        assert (self.top / "victim").read_text() == "somebody else's"
        assert {each.name for each in self.top.iterdir()} <= {"out", "victim", "tar", "elsewhere"}
        return caught.value.error_id


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    before = Path.cwd()
    found = Place(tmp_path)
    os.chdir(found.out)
    yield found
    os.chdir(before)


def test_what_is_whole_is_unpacked(place: Place) -> None:
    members = [folder(b"a"), file(b"a/f"), link(b"a/l", b"f"), link(b"a/h", b"a/f", Kind.HARD_LINK)]
    place.unpack(place.archive(members))
    assert (place.out / "a" / "h").stat().st_ino == (place.out / "a" / "f").stat().st_ino
    assert (place.out / "a" / "l").read_bytes() == DATA
    assert read_tree(place.archive(members), None).files == 1


@pytest.mark.contract("N7")
@pytest.mark.parametrize("name", [b"../made", b"a/../../made", b"..", b"/tmp/dce-play-made", b"a//made", b"a/./made"])
def test_a_name_that_leads_out_is_refused(place: Place, name: bytes) -> None:
    assert place.refused(place.archive([folder(b"a"), file(name)])) is ErrorId.VERIFY_FAILED
    assert not Path("/tmp/dce-play-made").exists()


@pytest.mark.contract("N7")
def test_a_link_is_not_followed_on_the_way_to_a_name(place: Place) -> None:
    (place.top / "elsewhere").mkdir()
    assert place.refused(place.archive([link(b"near", b"../elsewhere"), file(b"near/made")])) is ErrorId.WRITE_FAILED
    absolute = os.fsencode(place.top / "elsewhere")
    assert place.refused(place.archive([link(b"far", absolute), file(b"far/made")])) is ErrorId.WRITE_FAILED
    assert list((place.top / "elsewhere").iterdir()) == []


@pytest.mark.contract("N7")
@pytest.mark.parametrize(
    "first", [link(b"f", b"../victim"), file(b"f", b"first"), folder(b"f")], ids=["link", "file", "folder"]
)
def test_a_name_that_comes_twice_is_refused_and_the_first_stays(place: Place, first: Found) -> None:
    assert place.refused(place.archive([first, file(b"f", b"second")])) is ErrorId.WRITE_FAILED
    if first[0].kind is Kind.FILE:
        assert (place.out / "f").read_bytes() == b"first"


@pytest.mark.contract("N7")
@pytest.mark.parametrize("to", [b"../victim", b"a/../../victim"])
def test_a_second_name_of_what_lies_outside_is_refused(place: Place, to: bytes) -> None:
    assert place.refused(place.archive([folder(b"a"), link(b"h", to, Kind.HARD_LINK)])) is ErrorId.VERIFY_FAILED
    assert not (place.out / "h").exists()


@pytest.mark.contract("N12")
def test_what_its_index_does_not_tell_of_is_refused_by_check_and_by_unpacking(place: Place) -> None:
    whole = [folder(b"a"), file(b"a/f")]
    other = place.archive(whole, index=b'{"path":"a"}\n')
    without = place.archive(whole, index=b"")
    behind = place.archive(whole, behind=[file(b"more")])
    twice = place.archive(whole, behind=[index_member(index_of(whole))])
    for name, tar in {"other": other, "without": without, "behind": behind, "twice": twice}.items():
        with pytest.raises(BackupError) as caught:
            read_tree(io.BytesIO(tar.getvalue()), None)
        assert caught.value.error_id is (ErrorId.TRUNCATED if name == "without" else ErrorId.VERIFY_FAILED), name
        assert place.refused(tar) is ErrorId.VERIFY_FAILED, name
        (place.out / "a" / "f").unlink()
        (place.out / "a").rmdir()
    assert not (place.out / "more").exists()
