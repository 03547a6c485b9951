"""``disk.free``: enough room, or not."""

from pathlib import Path

import pytest

from dce_play.plugin import Size, StepFailed
from dce_play.steps.host import disk_free
from tests.support.fakes import make_context


def test_enough_room_is_told(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    result = disk_free.apply(disk_free.Params(at_least=Size(1)), context)
    assert isinstance(result.outputs, disk_free.Outputs)
    assert result.outputs.free > 1
    assert not result.changed


def test_too_little_room_fails_and_says_how_much_there_is(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    with pytest.raises(StepFailed, match=r"MiB free, \d+ MiB are needed") as failed:
        disk_free.apply(disk_free.Params(at_least=Size(1 << 60)), context)
    assert isinstance(failed.value.outputs, disk_free.Outputs)
