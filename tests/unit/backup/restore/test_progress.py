"""The note of a restore: there before anything is changed, and gone again where nothing could be."""

from pathlib import Path

import pytest

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.restore.progress import Progress
from dce_play.backup.service.quiesce import Quiesced
from dce_play.backup.store.restore_note import RestoreNote, read_note
from dce_play.system.durable.swaps import Swap
from tests.support.engine_services import EngineServices


@pytest.mark.contract("N14")
def test_a_restore_whose_way_back_nobody_guards_does_not_begin_and_leaves_no_note(tmp_path: Path) -> None:
    path = tmp_path / "kuma.restore.json"
    seen: list[RestoreNote | None] = []
    unguarded = Quiesced(EngineServices(), 60.0)

    def undo_first(argv: object) -> None:
        assert argv
        seen.append(read_note(path, module="kuma"))
        unguarded.undo_first(("true",))

    note = RestoreNote(module="kuma", file="kuma-20261128T220000Z.tar", began="2026-11-28T22:00:01Z")
    progress = Progress(note, path, stamp="20261128T220001Z", replace=False, undo_first=undo_first)
    place, aside, beside, undone = (str(tmp_path / key) for key in ("place", "aside", "beside", "undone"))
    swap = Swap(place=place, aside=aside, beside=beside, undone=undone, had_old=True)
    with pytest.raises(BackupError, match="no guard process runs") as caught:
        progress.begins(swaps=[swap])
    assert caught.value.error_id is ErrorId.QUIESCE_FAILED
    assert [each is not None and each.swaps == (swap,) for each in seen] == [True]
    assert not path.exists()
    assert progress.failure(caught.value) is caught.value
