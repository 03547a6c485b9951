"""The step plugins, and the table that names them all."""

from dce_play.plugin import ActionStep, CheckStep
from dce_play.steps import (
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

STEPS: dict[str, CheckStep | ActionStep] = {
    "token.sync_gui": token_sync_gui,
    "scrape.run": scrape_run,
    "scrape.preflight": scrape_preflight,
    "scrape.plan": scrape_plan,
    "schedule.cron": schedule_cron,
    "operator.ready": operator_ready,
    "disk.report": disk_report,
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
