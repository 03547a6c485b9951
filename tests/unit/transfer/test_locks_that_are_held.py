"""A file that another process has locked is waited for so long, and then whoever wants it is told."""

import fcntl
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from dce_play.system.lock.file_lock import FileBusy
from dce_play.transfer.receiving import index_file, tokens
from dce_play.transfer.receiving.index_file import FileIndex
from dce_play.transfer.receiving.tokens import FileTokens, new_token
from dce_play.transfer.sending.episodes import spool
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.settings import load_config
from tests.support.lab_hosts import lab_host


def add_token(folder: Path) -> Path:
    record, _ = new_token("lab-1", role="lab", expires=None, now=datetime.now(UTC))
    FileTokens(folder / "tokens.json").add(record)
    return folder / "tokens.json"


def load_index(folder: Path) -> Path:
    FileIndex(folder / "index.jsonl").load(repair=True)
    return folder / "index.jsonl"


def move(folder: Path) -> Path:
    one = Spool(load_config(lab_host(folder, "http://127.0.0.1:1").config))
    with one.moving():
        return one.private / "moves.lock"


@pytest.mark.parametrize(
    ("module", "bound", "use"),
    [(tokens, "_LOCK_WAIT_S", add_token), (index_file, "_LOCK_WAIT_S", load_index), (spool, "MOVES_WAIT_S", move)],
    ids=["tokens", "index", "moves"],
)
def test_a_lock_that_is_held_is_waited_for_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, bound: str, use: Callable[[Path], Path]
) -> None:
    path = use(tmp_path)
    before = path.read_bytes()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        monkeypatch.setattr(module, bound, 0.3)
        began = time.monotonic()
        with pytest.raises(FileBusy, match="another process is changing") as busy:
            use(tmp_path)
        assert time.monotonic() - began >= 0.3
    finally:
        os.close(descriptor)
    assert busy.value.path == path
    assert path.read_bytes() == before
    monkeypatch.undo()
    use(tmp_path)
