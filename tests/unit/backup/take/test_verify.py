"""What checks make of a backup: one that failed makes it bad until the same check has passed again."""

from pathlib import Path

import msgspec
import pytest

from dce_play.backup.manifest import CheckRecord, Manifest, Verification
from dce_play.backup.take.verify import CONTENTS, STORED, with_checks
from tests.support.engine_services import files_manifest


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Give the manifest of a backup that nobody has read again yet."""
    path = tmp_path / "thing-20261128T220000Z.tar"
    path.touch()
    made = files_manifest(path)
    return msgspec.structs.replace(made, verification=Verification(level=1, good=True))


def after(manifest: Manifest, *checks: tuple[str, bool], level: int) -> Manifest:
    return with_checks(
        manifest, [CheckRecord(id=name, ok=ok, at="2026-11-28T22:00:02Z") for name, ok in checks], level=level
    )


@pytest.mark.contract("B5")
def test_a_check_that_failed_counts_until_the_same_one_has_passed(manifest: Manifest) -> None:
    bad = after(manifest, (CONTENTS, False), level=2)
    assert (bad.verification.good, bad.verification.level) == (False, 1)
    still = after(bad, (STORED, True), level=1)
    assert (still.verification.good, still.verification.level) == (False, 1)
    well = after(still, (STORED, True), (CONTENTS, True), level=2)
    assert (well.verification.good, well.verification.level) == (True, 2)
    assert [check.ok for check in well.verification.checks] == [False, True, True, True]


@pytest.mark.contract("B5")
def test_a_level_that_was_reached_is_not_lost_by_a_smaller_check(manifest: Manifest) -> None:
    drilled = after(manifest, ("drill", True), level=3)
    assert after(drilled, (STORED, True), level=1).verification.level == 3
    assert after(drilled, (STORED, False), level=0).verification.level == 3
