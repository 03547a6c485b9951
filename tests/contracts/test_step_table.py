"""The table of steps names every module there is, and type checkers see that each is a step.

The table imports modules by name, which a type checker cannot follow; here they are imported in the open.
"""

from pathlib import Path

import pytest

import dce_play.steps
from dce_play.plugin import ActionStep, CheckStep
from dce_play.steps import (
    STEPS,
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
    command_run,
    disk_free,
    disk_report,
    file_copy,
    file_remove,
    file_write,
    http_check,
    lock_status,
    operator_ready,
    pause_confirm,
    report_say,
    report_summary,
    schedule_cron,
    scrape_plan,
    scrape_preflight,
    scrape_run,
    token_sync_gui,
)

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
    command_run,
    disk_free,
    disk_report,
    file_copy,
    file_remove,
    file_write,
    http_check,
    lock_status,
    operator_ready,
    pause_confirm,
    report_say,
    report_summary,
    schedule_cron,
    scrape_plan,
    scrape_preflight,
    scrape_run,
    token_sync_gui,
)


def test_each_step_stands_in_the_table_under_its_own_name() -> None:
    assert dict(STEPS) == {step.NAME: step for step in MODULES}


def test_every_module_of_the_folder_is_in_the_table_and_named_after_its_step() -> None:
    folder = Path(dce_play.steps.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == {name.replace(".", "_") for name in STEPS}


def test_an_unknown_step_is_not_in_the_table() -> None:
    assert "archive.misspelt" not in STEPS
    with pytest.raises(KeyError):
        STEPS["archive.misspelt"]
