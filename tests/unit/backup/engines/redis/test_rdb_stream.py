"""An RDB's end and its databases' headers are found while it streams by, whatever the chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.backup.engines.redis.rdb_check import read_verdict
from dce_play.backup.engines.redis.rdb_stream import _MOST_CANDIDATES, Keys, RdbCut, RdbHeaders

HEAD = b"REDIS0010\xfa\x09redis-ver\x067.0.15"
ZERO = b"\xfe\x00\xfb\x02\x01"
THIRD = b"\xfe\x43\xe8\xfb\x80\x00\x01\x00\x00\x00"  # database 1000, 65,536 keys, none with a time to live
END = b"\xff" + b"checksum"
RDB = HEAD + ZERO + b"keys and values \xfe\x09 \xff" + THIRD + b"more" * 30 + END
MARK = b"0123456789abcdef0123456789abcdef01234567"


def cut(data: bytes, sizes: list[int], *, marked: bool) -> tuple[bytes, str, int]:
    cutter = RdbCut()
    out, at, turn = b"", 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        out += cutter.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    last, end = cutter.close(marked=marked)
    return out + last, end.flaw, end.rdb_bytes


@given(st.lists(st.integers(1, 90), min_size=1, max_size=6), st.booleans())
@pytest.mark.contract("R2")
def test_the_mark_is_left_out_and_nothing_else(sizes: list[int], marked: bool) -> None:
    assert cut(RDB + (MARK if marked else b""), sizes, marked=marked) == (RDB, "", len(RDB))


@pytest.mark.parametrize(
    ("data", "marked"),
    [
        (RDB, True),
        (RDB + MARK, False),
        (RDB + MARK[:-1], True),
        (RDB + b"x", False),
        (RDB[:-1], False),
        (RDB[: len(RDB) // 2], False),
        (RDB[: len(RDB) // 2] + MARK, True),
        (b"", False),
        (b"-ERR no\r\n" + b"\xff" * 20, False),
    ],
)
@pytest.mark.contract("R2")
def test_whatever_else_follows_or_lacks_is_a_flaw(data: bytes, marked: bool) -> None:
    assert cut(data, [7], marked=marked)[1]


@given(st.lists(st.integers(1, 90), min_size=1, max_size=6))
@pytest.mark.contract("R3")
def test_headers_are_found_at_the_offsets_that_the_tool_tells(sizes: list[int]) -> None:
    headers = RdbHeaders()
    at = turn = 0
    while at < len(RDB):
        headers.feed(RDB[at : at + sizes[turn % len(sizes)]])
        at, turn = at + sizes[turn % len(sizes)], turn + 1
    zero, third = RDB.index(ZERO) + 2, RDB.index(THIRD) + 3
    assert headers.at({zero: 0, third: 1000}) == (
        Keys(database=0, keys=2, expiring=1),
        Keys(database=1000, keys=65536, expiring=0),
    )


@pytest.mark.contract("R3")
def test_an_offset_where_no_header_stands_gives_no_keys() -> None:
    headers = RdbHeaders()
    headers.feed(RDB)
    assert headers.at({12: 0}) is None


@pytest.mark.contract("R3")
@pytest.mark.parametrize("more", [0, 1])
def test_where_too_much_looks_like_a_header_nothing_is_told(more: int) -> None:
    headers = RdbHeaders()
    headers.feed(HEAD + ZERO * (_MOST_CANDIDATES + more) + END)
    told = (Keys(database=0, keys=2, expiring=1),)
    assert headers.at({len(HEAD) + 2: 0}) == (None if more else told)


@pytest.mark.contract("R5")
def test_the_tools_output_is_read_with_its_exit_code() -> None:
    fine = "[offset 9] Checking RDB file /dev/stdin\n[offset 208] \\o/ RDB looks OK! \\o/\n[info] 3 keys read\n"
    assert read_verdict(fine, exit_code=0).flaw == ""
    assert read_verdict(fine, exit_code=0).keys == 3
    assert read_verdict(fine, exit_code=1).flaw
    assert read_verdict("", exit_code=0).flaw
