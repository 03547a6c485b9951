"""The report of an item's run, left in its folder."""

from contextlib import suppress
from pathlib import Path

from dce_play.render.report import report_data
from dce_play.system.durable.whole_files import write_atomic


def leave_item_report(run_folder: Path, /) -> None:
    """Write the report; without one nothing is lost, as it can be made from the journal at any time."""
    with suppress(OSError):
        write_atomic(run_folder / "report.json", report_data(run_folder), durable=False)
