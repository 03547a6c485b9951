"""Whether the writer of an export still lives."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dce_play.discord.archive.folder.owner import Owner, OwnerState, owner_state, read_owner, this_process, write_owner
from dce_play.snowflake import MessageId

NOW = datetime(2026, 11, 21, 1, 15, 7, tzinfo=UTC)


@pytest.fixture
def me() -> Owner:
    return this_process(cursor=MessageId("42"), now=NOW)


@pytest.mark.contract("R-4.06")
def test_the_record_is_read_back_as_it_was_written(tmp_path: Path, me: Owner) -> None:
    write_owner(tmp_path, me)
    assert read_owner(tmp_path) == me
    assert (me.cursor, me.started) == ("42", "2026-11-21T01:15:07Z")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}'])
def test_a_record_that_cannot_be_read_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "owner.json").write_bytes(content)
    assert read_owner(tmp_path) is None


def test_this_process_is_alive(me: Owner) -> None:
    assert owner_state(me) is OwnerState.ALIVE


@pytest.mark.contract("R-4.06", "D-62")
def test_a_process_that_ended_is_dead(me: Owner) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = replace(me, pid=child.pid, pid_start=_start_of(child.pid))
    assert owner_state(record) is OwnerState.ALIVE
    child.communicate(b"\n")
    assert owner_state(record) is OwnerState.GONE


def test_a_pid_in_use_again_is_not_the_owner(me: Owner) -> None:
    assert owner_state(replace(me, pid_start=me.pid_start - 1)) is OwnerState.GONE


def test_after_a_reboot_the_owner_is_dead(me: Owner) -> None:
    assert owner_state(replace(me, boot_id="another")) is OwnerState.GONE


def test_of_another_host_nothing_is_known(me: Owner) -> None:
    assert owner_state(replace(me, host="elsewhere", boot_id="another")) is OwnerState.UNKNOWN


def test_of_another_pid_namespace_nothing_is_known(me: Owner) -> None:
    assert owner_state(replace(me, pidns="pid:[1]")) is OwnerState.UNKNOWN


def test_an_owner_that_said_it_ended_has(me: Owner) -> None:
    assert owner_state(replace(me, ended="2026-11-21T01:15:08Z")) is OwnerState.GONE


def _start_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
