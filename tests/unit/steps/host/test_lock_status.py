"""``lock.status``: another run's lock warns, fails or is told; our own is ours."""

from pathlib import Path

import pytest

from dce_play.discord.lock.archive_lock import archive_lock
from dce_play.plugin import StepFailed
from dce_play.steps.host import lock_status
from dce_play.steps.host.lock_status import Outputs, Params
from tests.support.fakes import make_context
from tests.support.processes import running

HOLD = ("sh", "-c", "echo held; sleep 600")


def test_a_free_lock_is_told_and_none_is_made(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    root.mkdir()
    context, reporter = make_context(tmp_path, archive_root=root)
    lock_status.apply(Params(), context)
    assert reporter.said == ["Scrape lock status", f"lock: {root}/.dce-scrape.lock", "state: free (no lock file)"]
    assert not list(root.iterdir())


@pytest.mark.contract("R-6.01", "R-5.14")
def test_another_runs_lock_is_a_warning(tmp_path: Path) -> None:
    context, reporter = make_context(tmp_path, archive_root=tmp_path)
    with running(["flock", tmp_path / ".dce-scrape.lock", *HOLD], until="held"):
        result = lock_status.apply(Params(), context)
    assert reporter.said[-1].startswith("WARN: scrape lock is held; wait for the active scrape")
    assert isinstance(result.outputs, Outputs)
    assert (result.outputs.verdict, result.outputs.ours) == ("held", False)


@pytest.mark.contract("R-8.09", "W-09")
def test_another_runs_lock_can_be_a_failure(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path, archive_root=tmp_path)
    with (
        running(["flock", tmp_path / ".dce-scrape.lock", *HOLD], until="held"),
        pytest.raises(StepFailed, match="Scrape lock is held") as failed,
    ):
        lock_status.apply(Params(when_held="fail"), context)
    assert str(tmp_path) in failed.value.hint


def test_our_own_lock_is_neither(tmp_path: Path) -> None:
    context, reporter = make_context(tmp_path, archive_root=tmp_path)
    with archive_lock(tmp_path, environment={}, command="pytest").acquire():
        result = lock_status.apply(Params(when_held="fail"), context)
    assert isinstance(result.outputs, Outputs)
    assert result.outputs.ours
    assert (result.outputs.verdict, result.summary) == ("held", "lock ours")
    assert reporter.said[-1] == "state: held by this run"
