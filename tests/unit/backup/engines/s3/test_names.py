"""Members' names: the key where it is safe, never a path that leads elsewhere, never two objects in one file."""

import sqlite3
import string
from contextlib import closing
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.backup.engines.s3.names import _LONGEST_PATH_BYTES, is_safe, made_up, of_version, parents
from dce_play.backup.engines.s3.roster import Roster

BAD = ["", "/a", "../x", "a/../b", "a//b", "a/", "./a", "a/.", "a\0b", "a\nb", ".keys/x", ".versions/x", "x" * 256]


@pytest.mark.contract("K2")
@pytest.mark.parametrize("key", BAD)
def test_a_key_that_is_no_safe_path_gets_a_made_up_name(key: str) -> None:
    assert not is_safe(key)
    assert is_inside(made_up(key))
    assert is_inside(of_version(key, "v1"))


@pytest.mark.contract("K2")
@pytest.mark.parametrize(("more", "safe"), [(0, True), (1, False)])
def test_a_path_is_so_long_at_most_in_bytes(more: int, safe: bool) -> None:
    key = "é/" * (_LONGEST_PATH_BYTES // 3) + "x" * (_LONGEST_PATH_BYTES % 3 + more)
    assert len(key.encode()) == _LONGEST_PATH_BYTES + more
    assert is_safe(key) is safe


@given(st.text(min_size=1, max_size=40))
@pytest.mark.contract("K2")
def test_a_safe_key_stays_inside_any_folder(key: str) -> None:
    if is_safe(key):
        assert is_inside(key)
        assert str(PurePosixPath(key)) == key


def is_inside(member: str) -> bool:
    path = PurePosixPath(member)
    return not path.is_absolute() and ".." not in path.parts


@given(st.lists(st.text(alphabet=string.ascii_lowercase[:2] + "/", min_size=1, max_size=6), max_size=30))
@pytest.mark.contract("K2")
def test_no_object_s_file_is_another_s_folder(keys: list[str]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        roster = Roster(database)
        members = {
            key: key if is_safe(key) and roster.take_name(key, parents(key)) else made_up(key)
            for key in dict.fromkeys(keys)
        }
    assert len(set(members.values())) == len(members)
    files = set(members.values())
    assert not [member for member in files if any(parent in files for parent in parents(member))]
