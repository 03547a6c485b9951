"""The order in which a run's record becomes durable around what its steps do, as the kernel was asked."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.call_order import changes, strace
from tests.support.command_line import Terminal, terminal_in
from tests.support.processes import python

pytestmark = pytest.mark.strace


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return terminal_in(tmp_path)


def order(terminal: Terminal, playbook: str) -> list[str]:
    """Run a playbook; return what was done to the journals, what goes with them, and ``out``."""
    terminal.write("p.yml", playbook)
    log = terminal.folder.with_name("calls")
    argv = [*strace(log), *terminal.argv("run", "p.yml")]
    done = subprocess.run(
        argv, cwd=terminal.folder, env=terminal.environment, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done
    told = [re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{6}", "RUN", each) for each in changes(log, terminal.folder)]
    return [each.replace("state/runs/", "") for each in told if "state/runs" in each or "out" in each]


def test_a_step_with_effects_is_on_record_before_it_acts_and_its_end_after(terminal: Terminal) -> None:
    made = order(
        terminal,
        """
    name: p
    summary: s
    steps:
      - assert.that: {conditions: ['{{ true }}']}
      - file.write: {path: out, content: x}
      - assert.that: {conditions: ['{{ true }}']}
    """,
    )
    assert made == [
        "fsync state/runs",
        "fdatasync RUN/events.jsonl",
        "fsync RUN/.definition.json.*.tmp",
        "rename RUN/.definition.json.*.tmp to RUN/definition.json",
        "fsync RUN",
        "fdatasync RUN/events.jsonl",
        "fsync .out.*.tmp",
        "rename .out.*.tmp to out",
        "fdatasync RUN/events.jsonl",
        "fdatasync RUN/events.jsonl",
        "fsync RUN/.report.json.*.tmp",
        "rename RUN/.report.json.*.tmp to RUN/report.json",
        "fsync RUN",
    ]


def test_an_item_is_ordered_durably_before_it_acts_and_its_result_is_durable_before_the_parents_end(
    terminal: Terminal,
) -> None:
    made = order(
        terminal,
        """
    name: p
    summary: s
    steps:
      - loop: [one]
        as: each
        fan_out: true
        file.write: {path: out, content: x}
    """,
    )
    mine = [re.sub(r"RUN\.[0-9a-f]{16}", "ITEM", each) for each in made]
    assert [each for each in mine if "ITEM" in each or "out" in each or each == "fsync state/runs"] == [
        "fsync state/runs",
        "fsync state/runs",
        "fsync ITEM/.item.json.*.tmp",
        "rename ITEM/.item.json.*.tmp to ITEM/item.json",
        "fsync ITEM",
        "fdatasync ITEM/events.jsonl",
        "fdatasync ITEM/events.jsonl",
        "fsync .out.*.tmp",
        "rename .out.*.tmp to out",
        "fdatasync ITEM/events.jsonl",
        "fdatasync ITEM/events.jsonl",
        "fsync ITEM/.result.json.*.tmp",
        "rename ITEM/.result.json.*.tmp to ITEM/result.json",
        "fsync ITEM",
        "rename ITEM/.report.json.*.tmp to ITEM/report.json",
    ]


OWED = """
import sys; from pathlib import Path
from dce_play.host.monitoring.config import ServiceKind
from dce_play.host.monitoring.owed import Debt, owe
every = (ServiceKind.NTFY, ServiceKind.WEBHOOK)
held = owe(Path(sys.argv[1]), Debt(run="r", folder="f", playbook="p", services=every))
held.settle(every[:1], None)
held.settle((), None)
"""


def test_what_monitors_have_yet_to_hear_is_durable_under_its_name_and_so_is_what_one_has_heard(tmp_path: Path) -> None:
    folder, log = tmp_path / "owed", tmp_path / "calls"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([*strace(log), *python(OWED, folder)], check=True, timeout=60, env=environment)
    assert changes(log, folder) == [
        "fsync .r.json.*.tmp",
        "rename .r.json.*.tmp to r.json",
        "fsync .",
        "ftruncate r.json",
        "fsync r.json",
        "unlink r.json",
    ]
