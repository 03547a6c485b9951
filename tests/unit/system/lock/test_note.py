"""The note beside the lock, as bytes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.system.clock import SystemClock
from dce_play.system.lock.note import (
    LONGEST_COMMAND,
    LockMeta,
    decode_meta,
    encode_meta,
    meta_path,
    own_meta,
    read_meta,
    remove_meta,
    write_meta,
)

words = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=20)


@given(
    meta=st.builds(
        LockMeta,
        pid=st.integers(1, 1 << 22),
        cmd=words,
        started=words,
        host=words,
        boot_id=words,
        pid_start=st.none() | st.integers(0, 1 << 50),
        pidns=words,
        user=words,
        lock_id=words,
        run_id=words,
        step=words,
        containers=st.lists(words.filter(bool), max_size=3).map(tuple),
    )
)
def test_a_note_reads_as_it_was_written(meta: LockMeta) -> None:
    assert decode_meta(encode_meta(meta)) == meta


@given(st.binary(max_size=300))
def test_any_bytes_read_as_a_note_or_as_none(data: bytes) -> None:
    meta = decode_meta(data)
    assert meta is None or meta.pid > 0


@pytest.mark.contract("R-5.05")
def test_the_old_scripts_three_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    meta_path(path).write_text("pid=77\nstarted=2026-01-01T00:00:00Z\ncmd=./scrape.sh --target a=b\n", encoding="utf-8")
    assert read_meta(path) == LockMeta(pid=77, started="2026-01-01T00:00:00Z", cmd="./scrape.sh --target a=b")


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"pid=\n", b"pid=abc\n", b"pid=-4\n", b"pid=0\n", "pid=٣\n".encode()])
def test_a_note_without_a_pid_tells_nothing(data: bytes) -> None:
    assert decode_meta(data) is None


@pytest.mark.contract("R-5.05")
def test_a_command_cannot_forge_lines_and_is_cut() -> None:
    meta = own_meta(cmd="x\npid=1\x1b[31m" + "y" * 1000, run_id="", now=SystemClock().now())
    lines = encode_meta(meta).decode().splitlines()
    assert sum(line.startswith("pid=") for line in lines) == 1
    assert len(meta.cmd) == LONGEST_COMMAND
    assert "\x1b" not in meta.cmd


def test_only_the_note_with_our_id_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    write_meta(path, LockMeta(pid=1, lock_id="b"), durable=True)
    remove_meta(path, "a")
    assert meta_path(path).exists()
    remove_meta(path, "b")
    remove_meta(path, "b")
    assert not list(tmp_path.iterdir())


def test_others_can_read_the_note(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    write_meta(path, LockMeta(pid=1), durable=False)
    assert meta_path(path).stat().st_mode & 0o777 == 0o644
