"""In which order runs are listed."""

import os
from pathlib import Path

from dce_play.runner.record.folders import newest_folders


def test_runs_of_one_second_stand_by_when_they_ended_whatever_their_ids_are(tmp_path: Path) -> None:
    ended = ["20261129T104400Z-f6db01", "20261129T104400Z-034f55", "20261129T104400Z-1601c8", "20261129T104359Z-ffffff"]
    for age, name in enumerate(ended):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, ns=(0, (1_000_000 - age) * 1000))
    (tmp_path / f"{ended[0]}.0123456789abcdef").mkdir()  # an item's run
    (tmp_path / ".removed").mkdir()
    assert [folder.name for folder in newest_folders(tmp_path)] == ended


def test_where_there_is_no_state_folder_there_are_no_runs(tmp_path: Path) -> None:
    assert list(newest_folders(tmp_path / "none")) == []
