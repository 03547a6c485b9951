"""The ledger is open in one process at a time, and is a regular file."""

import os
from pathlib import Path

import pytest

from dce_play.discord.media_store.ledger import Ledger
from dce_play.system.lock.file_lock import NoRegularFile, is_locked


def test_a_ledger_that_another_has_open_is_refused_in_words_and_free_again_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "media.jsonl"
    first = Ledger(path)
    assert is_locked(path)
    with pytest.raises(BlockingIOError, match=r"another process keeps media here.*media\.jsonl"):
        Ledger(path)
    first.close()
    assert not is_locked(path)
    Ledger(path).close()


@pytest.mark.timeout(20)
def test_a_pipe_in_place_of_the_ledger_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "media.jsonl"
    os.mkfifo(path)
    with pytest.raises(NoRegularFile, match="not a regular file"):
        Ledger(path)
