"""Journal entries as ``journalctl -o json`` writes them, and journals that may not be read."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dce_play.host.journal import JournalDenied, read_journal_file, read_unit
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def entry(message: object, *, age_s: float = 0.0) -> str:
    stamp = int((NOW - timedelta(seconds=age_s)).timestamp() * 1e6)
    return json.dumps({"__REALTIME_TIMESTAMP": str(stamp), "MESSAGE": message})


def messages(tmp_path: Path, *lines: str | bytes, since_s: float = 600) -> list[str]:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return [each.message for each in read_journal_file(path, since=NOW - timedelta(seconds=since_s))]


@pytest.mark.contract("D1")
def test_old_entries_are_left_out(tmp_path: Path) -> None:
    assert messages(tmp_path, entry("old", age_s=601), entry("new", age_s=599)) == ["new"]


@pytest.mark.contract("D1")
def test_a_message_may_be_a_list_of_bytes(tmp_path: Path) -> None:
    assert messages(tmp_path, entry(list(b"caf\xe9"))) == ["caf\N{REPLACEMENT CHARACTER}"]


def test_a_priority_before_the_message_is_taken_off(tmp_path: Path) -> None:
    assert messages(tmp_path, entry("<3>ship.fix <b>")) == ["ship.fix <b>"]


def test_whatever_is_no_entry_is_passed_over(tmp_path: Path) -> None:
    lines = [b"\xff\xfe", b"[]", b'{"MESSAGE": null}', b"{", b'{"MESSAGE": [1, "x", 900]}', entry("good").encode()]
    assert messages(tmp_path, *lines)[-1] == "good"


def program(tmp_path: Path, script: str) -> LocalExecutor:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "journalctl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "journalctl").chmod(0o755)
    return LocalExecutor({**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}, Masker())


@pytest.mark.contract("D1")
def test_the_unit_and_the_time_are_asked_for(tmp_path: Path) -> None:
    executor = program(tmp_path, f'echo "$@" > {tmp_path}/argv')
    read_unit("x.service", since=NOW - timedelta(minutes=10), now=NOW, executor=executor)
    assert (tmp_path / "argv").read_text().strip() == "-u x.service -o json --no-pager --since=-10min"


@pytest.mark.parametrize(
    "script",
    [
        "echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1",
        "echo 'Hint: You are currently not seeing messages from other users and the system.' >&2",
    ],
)
def test_a_journal_that_we_may_not_read_is_told(tmp_path: Path, script: str) -> None:
    with pytest.raises(JournalDenied):
        read_unit("x", since=NOW, now=NOW, executor=program(tmp_path, script))
