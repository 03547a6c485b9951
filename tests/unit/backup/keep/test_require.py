"""What an apply demands: a backup of the past, whatever clock wrote its time."""

from datetime import timedelta
from pathlib import Path

import pytest

from dce_play.backup.keep.require import Required, require
from dce_play.backup.keep.retention import CLOCK_SLACK_S
from dce_play.backup.store.catalog import read_catalog
from dce_play.system.clock import SystemClock
from tests.support.backups import yard_in


@pytest.mark.contract("B1", "N11")
def test_a_backup_from_the_future_is_passed_over_and_proves_nothing(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    first, second = yard.take()["file"], yard.take()["file"]
    catalog = read_catalog(yard.root, now=SystemClock().now())
    ends = {entry.file: entry.ended for entry in catalog.entries}

    def asked(file: str, early_s: float) -> Required:
        now = ends[file] - timedelta(seconds=early_s)
        return require("kuma", catalog, now=now, max_age_s=3600.0, min_level=2)

    assert asked(second, CLOCK_SLACK_S).file == second
    gap_s = (ends[second] - ends[first]).total_seconds()
    assert gap_s > 0
    assert asked(second, CLOCK_SLACK_S + gap_s / 2).file == first
    assert asked(first, CLOCK_SLACK_S + 1).reason == "every backup of kuma is from the future: which clock is wrong?"
