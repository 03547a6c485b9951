"""A prune removes what was planned, while that is still what would be planned, and else nothing."""

from pathlib import Path

import pytest

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.keep.prune import KeepRules, apply_prune, plan_prune
from dce_play.backup.keep.retention import Retention
from dce_play.backup.store.catalog import read_catalog
from tests.support.backups import Yard, yard_in
from tests.support.engine_services import EngineServices

RULES = KeepRules(last=1)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Give a yard with three good backups, of which the rules keep the newest."""
    found = yard_in(tmp_path)
    for _ in range(3):
        found.take()
    return found


def planned(yard: Yard) -> Retention:
    now = EngineServices().clock.now()
    return plan_prune("kuma", read_catalog(yard.root, now=now), RULES, now=now)


@pytest.mark.contract("B6", "N11")
@pytest.mark.parametrize(("since", "count"), [("another one was taken", 3), ("the newest became bad", 1)])
def test_nothing_goes_when_another_prune_would_be_planned_by_now(yard: Yard, since: str, count: int) -> None:
    plan = planned(yard)
    assert len(plan.remove) == 2
    if since == "another one was taken":
        yard.take()
    else:
        newest = yard.root / yard.ask("list", "kuma")[1]["backups"][0]["file"]
        newest.write_bytes(newest.read_bytes()[:-1])
    before = yard.names()
    with pytest.raises(BackupError) as caught:
        apply_prune("kuma", plan, RULES, yard.root, EngineServices())
    assert (caught.value.error_id, caught.value.hint) == (ErrorId.CHANGED, "plan it again")
    assert yard.names() == before
    assert len(apply_prune("kuma", planned(yard), RULES, yard.root, EngineServices())) == count
