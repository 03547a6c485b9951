"""The table of steps names every module there is, and type checkers see that each is a step.

The table imports modules by name, which a type checker cannot follow; here they are imported in the open.
"""

from pathlib import Path

import pytest

import dce_play.steps
from dce_play.plugin import ActionStep, CheckStep
from dce_play.steps import STEPS
from dce_play.steps.archive import adopt as archive_adopt
from dce_play.steps.archive import append as archive_append
from dce_play.steps.archive import audit as archive_audit
from dce_play.steps.archive import merge as archive_merge
from dce_play.steps.archive import normalise as archive_normalise
from dce_play.steps.archive import prove_append as archive_prove_append
from dce_play.steps.archive import recover as archive_recover
from dce_play.steps.archive import salvage as archive_salvage
from dce_play.steps.archive import snapshot as archive_snapshot
from dce_play.steps.archive import verify as archive_verify
from dce_play.steps.backup import audit as backup_audit
from dce_play.steps.backup import drill as backup_drill
from dce_play.steps.backup import prune as backup_prune
from dce_play.steps.backup import require as backup_require
from dce_play.steps.backup import take as backup_take
from dce_play.steps.backup import verify as backup_verify
from dce_play.steps.flow import assert_that, pause_confirm, report_say, report_summary, run_fail
from dce_play.steps.host import (
    command_run,
    disk_free,
    disk_report,
    doctor_check,
    file_copy,
    file_remove,
    file_write,
    http_check,
    lock_status,
    schedule_cron,
    schedule_systemd,
    shell_run,
)
from dce_play.steps.media import fetch as media_fetch
from dce_play.steps.media import verify as media_verify
from dce_play.steps.scrape import ask as scrape_ask
from dce_play.steps.scrape import operator_ready, token_sync_gui
from dce_play.steps.scrape import plan as scrape_plan
from dce_play.steps.scrape import preflight as scrape_preflight
from dce_play.steps.scrape import run as scrape_run
from dce_play.steps.ship import drain as ship_drain
from dce_play.steps.ship import once as ship_once
from dce_play.steps.ship import ping as ship_ping
from dce_play.steps.ship import quarantine_clean, quarantine_requeue, receive_backfill, receive_verify

MODULES: tuple[CheckStep | ActionStep, ...] = (
    archive_adopt,
    archive_append,
    archive_audit,
    archive_merge,
    archive_normalise,
    archive_prove_append,
    archive_recover,
    archive_salvage,
    archive_snapshot,
    archive_verify,
    assert_that,
    backup_audit,
    backup_drill,
    backup_prune,
    backup_require,
    backup_take,
    backup_verify,
    command_run,
    disk_free,
    disk_report,
    doctor_check,
    file_copy,
    file_remove,
    file_write,
    http_check,
    lock_status,
    media_fetch,
    media_verify,
    operator_ready,
    pause_confirm,
    report_say,
    quarantine_clean,
    quarantine_requeue,
    receive_backfill,
    receive_verify,
    report_summary,
    run_fail,
    schedule_cron,
    schedule_systemd,
    scrape_plan,
    scrape_ask,
    scrape_preflight,
    scrape_run,
    shell_run,
    ship_drain,
    ship_once,
    ship_ping,
    token_sync_gui,
)


def test_each_step_stands_in_the_table_under_its_own_name() -> None:
    assert dict(STEPS) == {step.NAME: step for step in MODULES}


def test_every_module_of_the_folder_is_in_the_table_and_named_after_its_step() -> None:
    folder = Path(dce_play.steps.__file__).parent
    files = {(path.parent.name, path.stem) for path in folder.glob("*/*.py") if path.stem != "__init__"}
    modules = {tuple(str(vars(step)["__name__"]).split(".")[-2:]): name for name, step in STEPS.items()}
    assert files == set(modules)
    for (room, stem), name in modules.items():
        assert name.replace(".", "_") in {stem, f"{room}_{stem}"}


def test_an_unknown_step_is_not_in_the_table() -> None:
    assert "archive.misspelt" not in STEPS
    with pytest.raises(KeyError):
        STEPS["archive.misspelt"]
