"""Headers of a tar: what we write others read, and what others wrote wrong we refuse."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.backup.tree.pax import BLOCK, END, Kind, Member, NotATar, decode_ustar, encode_header

_HIGH = b"\xff" * 100
"""The name whose bytes have the greatest sum."""
names = st.one_of(st.just(_HIGH), st.binary(min_size=1, max_size=300)).map(lambda name: name.translate(None, b"\0/"))


def members(kind: Kind) -> st.SearchStrategy[Member]:
    return st.builds(
        Member,
        name=names.filter(bool),
        kind=st.just(kind),
        mode=st.integers(0, 0o7777),
        uid=st.integers(0, 2**31),
        gid=st.integers(0, 2**31),
        mtime_ns=st.integers(0, 2**60),
        link=names.filter(bool) if kind is Kind.SYMLINK else st.just(b""),
    )


@given(members(Kind.SYMLINK) | members(Kind.PIPE))
def test_python_reads_every_header_that_we_write(member: Member) -> None:
    with tarfile.open(fileobj=io.BytesIO(encode_header(member) + END), mode="r:") as tar:
        found = tar.next()
    assert found is not None
    assert found.name.encode("utf-8", "surrogateescape") == member.name
    assert found.linkname.encode("utf-8", "surrogateescape") == member.link
    assert (found.mode, found.uid, found.gid) == (member.mode, member.uid, member.gid)
    assert found.type == member.kind.value


@given(members(Kind.SYMLINK), st.integers(0, BLOCK - 1), st.integers(1, 255))
def test_a_header_with_one_other_byte_is_refused(member: Member, at: int, more: int) -> None:
    block = bytearray(encode_header(member)[-BLOCK:])
    block[at] = (block[at] + more) % 256
    try:
        decode_ustar(bytes(block), offset=0)
    except NotATar:
        return
    assert 148 <= at < 156  # the sum's own field may say the same in another way
    assert bytes(block[148:156]).strip(b" \0").lstrip(b"0") == encode_header(member)[-BLOCK:][148:154].lstrip(b"0")


def test_an_unknown_kind_of_member_is_named() -> None:
    info = tarfile.TarInfo("disk")
    info.type = tarfile.BLKTYPE
    with pytest.raises(NotATar, match="unknown type b'4' at byte 512"):
        decode_ustar(info.tobuf(tarfile.USTAR_FORMAT), offset=512)
