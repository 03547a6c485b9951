"""The step plugins, and the table that names them all."""

from dce_play.plugin import ActionStep, CheckStep
from dce_play.steps import (
    assert_that,
    command_run,
    disk_free,
    file_copy,
    file_remove,
    file_write,
    http_check,
    lock_status,
    pause_confirm,
    report_say,
    report_summary,
)

STEPS: dict[str, CheckStep | ActionStep] = {
    "assert.that": assert_that,
    "command.run": command_run,
    "disk.free": disk_free,
    "file.copy": file_copy,
    "file.remove": file_remove,
    "file.write": file_write,
    "http.check": http_check,
    "lock.status": lock_status,
    "pause.confirm": pause_confirm,
    "report.say": report_say,
    "report.summary": report_summary,
}
