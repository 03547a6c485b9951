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
        self._imported: dict[str, CheckStep | ActionStep] = {}

    def __getitem__(self, name: str) -> CheckStep | ActionStep:
        if name not in self._imported:
            self._imported[name] = cast(CheckStep | ActionStep, import_module(f"{__name__}.{self._modules[name]}"))
        return self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


STEPS = StepTable(
    {
        "archive.adopt": "archive.adopt",
        "archive.append": "archive.append",
        "archive.audit": "archive.audit",
        "archive.merge": "archive.merge",
        "archive.normalise": "archive.normalise",
        "archive.prove_append": "archive.prove_append",
        "archive.recover": "archive.recover",
        "archive.salvage": "archive.salvage",
        "archive.snapshot": "archive.snapshot",
        "archive.verify": "archive.verify",
        "assert.that": "flow.assert_that",
        "backup.audit": "backup.audit",
        "backup.drill": "backup.drill",
        "backup.prune": "backup.prune",
        "backup.require": "backup.require",
        "backup.take": "backup.take",
        "backup.verify": "backup.verify",
        "command.run": "host.command_run",
        "disk.free": "host.disk_free",
        "disk.report": "host.disk_report",
        "doctor.check": "host.doctor_check",
        "file.copy": "host.file_copy",
        "file.remove": "host.file_remove",
        "file.write": "host.file_write",
        "http.check": "host.http_check",
        "lock.status": "host.lock_status",
        "media.fetch": "media.fetch",
        "media.verify": "media.verify",
        "operator.ready": "scrape.operator_ready",
        "pause.confirm": "flow.pause_confirm",
        "quarantine.clean": "ship.quarantine_clean",
        "quarantine.requeue": "ship.quarantine_requeue",
        "receive.backfill": "ship.receive_backfill",
        "receive.verify": "ship.receive_verify",
        "report.say": "flow.report_say",
        "report.summary": "flow.report_summary",
        "run.fail": "flow.run_fail",
        "schedule.cron": "host.schedule_cron",
        "schedule.systemd": "host.schedule_systemd",
        "scrape.ask": "scrape.ask",
        "scrape.plan": "scrape.plan",
        "scrape.preflight": "scrape.preflight",
        "scrape.run": "scrape.run",
        "shell.run": "host.shell_run",
        "ship.drain": "ship.drain",
        "ship.once": "ship.once",
        "ship.ping": "ship.ping",
        "token.sync_gui": "scrape.token_sync_gui",
    }
)
