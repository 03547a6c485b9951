"""What an apply demands: a backup of the past, whatever clock wrote its time."""

import json
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


@pytest.mark.contract("B1")
def test_a_consistency_that_there_is_not_is_a_wrong_call_and_no_answer(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    yard.take()
    code, found = yard.ask("require", "kuma", "--consistency", "live,logcal")
    assert (code, found["error"]["id"]) == (2, "usage")
    assert "logical" in found["error"]["hint"]
    assert yard.ask("require", "kuma", "--consistency", "logical,live")[0] == 0


@pytest.mark.contract("B5")
def test_a_warning_that_a_newer_release_wrote_is_shown_and_the_backup_counts(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    manifest = Path(yard.take()["manifest"])
    facts = json.loads(manifest.read_text())
    facts["warnings"] = [{"id": "of-tomorrow", "message": "we know more by now"}]
    manifest.write_text(json.dumps(facts))
    code, found = yard.ask("list")
    assert (code, found["backups"][0]["warnings"], found["leftovers"]) == (0, ["of-tomorrow"], [])
    assert yard.ask("require", "kuma")[0] == 0
