"""The run of one item, wherever it runs: what an earlier start of it did counts, and its effects happen once.

Beside the journal of the child run stand ``item.json``, which says for which start of the parent it works, and
``result.json``, what it gave. Whoever finds the result of the same start takes it; whoever finds the journal held
waits for its end; else the run goes on where the journal ends.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dce_play.event_json import to_json
from dce_play.events import ErrorFacts, Event
from dce_play.playbook.plan.plan import Plan, walk
from dce_play.runner.cancel import Reason
from dce_play.runner.engine import run
from dce_play.runner.fan_out.executor import ItemNotRun, ItemWork, Listen
from dce_play.runner.fan_out.order import ItemOrder, ItemResult, failed_item
from dce_play.runner.node_result import Failure, stopped
from dce_play.runner.record.follow import follow_journal
from dce_play.runner.record.journal import JOURNAL_NAME, RunStillGoing, close_lost, read_journal
from dce_play.runner.record.progress import Progress, fold_progress
from dce_play.runner.settings import RunSettings
from dce_play.source import JsonValue
from dce_play.system.durable.disk import REAL
from dce_play.system.durable.regular_files import read_regular
from dce_play.system.durable.whole_files import write_atomic

ORDER_NAME = "item.json"
RESULT_NAME = "result.json"


@dataclass(frozen=True, slots=True)
class _Forward:
    """The sink that tells the parent. Where nobody listens any more, the item goes on all the same."""

    listen: Listen

    def accept(self, event: Event, /) -> None:
        """Tell one event."""
        with suppress(OSError):  # the parent is gone; a later start reads the journal
            self.listen(to_json(event), False)

    def close(self) -> None:
        """Nothing more will come."""


def item_settings(settings: RunSettings, order: ItemOrder, /, *, runs: Path) -> RunSettings:
    """Return the settings of the item's run, made from its parent's; ``runs`` is the folder of run folders here."""
    return replace(
        settings,
        run_id=order.run_id,
        run_folder=runs / order.run_id,
        ask=None,
        step_by_step=False,
        timeout_s=None,
        options={},
        apply_command="",
        resume_command="",
        seal=False,
    )


def run_item(
    plan: Plan, settings: RunSettings, work: ItemWork, listen: Listen, /, *, leave_report: Callable[[Path], object]
) -> ItemResult:
    """Run the item, or go on with it, or only tell what it did; return how it ended.

    ``leave_report`` writes the report into the run folder.

    Raises: ItemNotRun; RunFolderUnusable, RunJournalDamaged; OSError, when the result cannot be written.
    """
    order, folder = work.order, settings.run_folder
    while True:
        try:
            progress = _earlier(work, folder, _definition(plan, order), listen)
            if isinstance(progress, ItemResult):
                return progress
            outcome = run(plan, settings, [_Forward(listen)], progress=progress, item=work)
            break
        except RunStillGoing:  # it was taken up between two looks
            continue
    result = outcome.item
    if result is None:
        facts = outcome.error or ErrorFacts(kind="NotRun", message="the item did not begin")
        raise ItemNotRun(Failure(facts=facts, exit_code=outcome.exit_code, stops=work.why(), where=order.id))
    note: dict[str, JsonValue] = {
        "session": order.session,
        "good": result.good,
        "definition": _definition(plan, order),
        "result": result.to_json(),
    }
    write_atomic(folder / RESULT_NAME, json.dumps(note).encode())
    leave_report(folder)
    return result


def _definition(plan: Plan, order: ItemOrder) -> str:
    return next((node.definition for node in walk(plan.preflight + plan.steps) if node.id == order.node), "")


def _earlier(work: ItemWork, folder: Path, definition: str, listen: Listen) -> ItemResult | Progress | None:
    """Return what an earlier start leaves to do: nothing (its result), the rest (its progress), or all."""
    order = work.order
    journal = folder / JOURNAL_NAME
    if not journal.is_file():
        _remember(order, folder, from_seq=0)
        return None

    def tell(line: Mapping[str, JsonValue]) -> None:
        with suppress(OSError):
            listen(line, True)

    if not follow_journal(journal, tell, lambda: work.why() is not None):
        return failed_item(stopped(work.why() or Reason.TERMINATED, order.id))
    mine, since = _remembered(order, folder)
    result = _result(order, folder, definition, mine=mine)
    if result is not None:
        return result
    close_lost(journal, ts=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"))
    events = read_journal(journal)
    if not events:
        return None
    progress = fold_progress(events)
    if order.fresh and not mine:
        since = progress.last_seq
    _remember(order, folder, from_seq=since)
    if since:
        recent = fold_progress(event for event in events if _seq(event) > since)
        return replace(progress, ended=recent.ended, checkpoints=recent.checkpoints)
    return progress


def _seq(event: Mapping[str, JsonValue]) -> int:
    seq = event.get("seq")
    return seq if isinstance(seq, int) else 0


def _remember(order: ItemOrder, folder: Path, *, from_seq: int) -> None:
    REAL.make_folder(folder)
    note: dict[str, JsonValue] = {"session": order.session, "from_seq": from_seq, "item": order.id}
    write_atomic(folder / ORDER_NAME, json.dumps(note).encode())


def _remembered(order: ItemOrder, folder: Path) -> tuple[bool, int]:
    """Return whether the earlier start worked for the same start of the parent, and from which event on it counts."""
    note = _read(folder / ORDER_NAME)
    since = note.get("from_seq")
    return note.get("session") == order.session, since if isinstance(since, int) else 0


def _result(order: ItemOrder, folder: Path, definition: str, *, mine: bool) -> ItemResult | None:
    """Return what an earlier start gave, if that is still what is asked for."""
    note = _read(folder / RESULT_NAME)
    result = note.get("result")
    if not isinstance(result, dict):
        return None
    same = mine and note.get("session") == order.session
    counts = note.get("good") is True and note.get("definition") == definition and not order.fresh
    return ItemResult.from_json(result) if same or counts else None


def _read(path: Path) -> Mapping[str, JsonValue]:
    try:
        value = json.loads(read_regular(path))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
