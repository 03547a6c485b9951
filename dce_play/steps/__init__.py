"""The step plugins, and the table that names them all.

A step's module is imported when the step is asked for: with its core it takes some 10 ms, and a playbook uses few.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import cast

from dce_play.plugin import ActionStep, CheckStep


class StepTable(Mapping[str, CheckStep | ActionStep]):
    """Steps by name, from a table of their modules' names. tests/contracts holds every module to the protocols."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules

    def __getitem__(self, name: str) -> CheckStep | ActionStep:
        return cast(CheckStep | ActionStep, import_module(f"{__name__}.{self._modules[name]}"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


STEPS = StepTable(
    {
        "archive.adopt": "archive_adopt",
        "archive.append": "archive_append",
        "archive.audit": "archive_audit",
        "archive.merge": "archive_merge",
        "archive.normalise": "archive_normalise",
        "archive.prove_append": "archive_prove_append",
        "archive.recover": "archive_recover",
        "archive.salvage": "archive_salvage",
        "archive.snapshot": "archive_snapshot",
        "archive.verify": "archive_verify",
        "assert.that": "assert_that",
        "command.run": "command_run",
        "disk.free": "disk_free",
        "disk.report": "disk_report",
        "file.copy": "file_copy",
        "file.remove": "file_remove",
        "file.write": "file_write",
        "http.check": "http_check",
        "lock.status": "lock_status",
        "operator.ready": "operator_ready",
        "pause.confirm": "pause_confirm",
        "report.say": "report_say",
        "report.summary": "report_summary",
        "schedule.cron": "schedule_cron",
        "scrape.plan": "scrape_plan",
        "scrape.preflight": "scrape_preflight",
        "scrape.run": "scrape_run",
        "token.sync_gui": "token_sync_gui",
    }
)
