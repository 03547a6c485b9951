"""Events as lines, one after another, leaving nothing out: the log file, and the terminal with ``-v``."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import assert_never

from dce_play.events import (
    GROUPS,
    Asked,
    Body,
    CheckpointPut,
    Diagnosed,
    Event,
    FannedOut,
    ItemTold,
    LockReleased,
    LockSeen,
    LockTaken,
    LockWaiting,
    Mode,
    Outcome,
    RunEnded,
    RunResumed,
    RunStarted,
    Status,
    StepEnded,
    StepProgressed,
    StepRef,
    StepRetried,
    StepSaid,
    StepStarted,
)
from dce_play.render.lines import (
    STYLES,
    WAITING,
    Line,
    Segment,
    diff_lines,
    hint_lines,
    indented,
    lock_text,
    progress_text,
    resumed_text,
    retry_texts,
    sign_of,
    step_name,
)
from dce_play.render.pace import Pace
from dce_play.render.page.display import DisplayOptions
from dce_play.render.text import duration, one_line
from dce_play.source import JsonValue
from dce_play.system.counted import counted
from dce_play.system.foreign_text import clean

SUMMARY_MARKER = "DCE_JSON_SUMMARY:"
"""Operators' scripts find a scrape's summary by this word. Such a line stands in the log file only."""
_COUNTED = ("ok", "changed", "rescued", "reused", "maybe", "skipped", "failed", "not-run")
_WORD_WIDTH = 8


@dataclass(slots=True)
class Narrator:
    """Folds events into lines. One belongs to one output."""

    display: DisplayOptions = field(default_factory=DisplayOptions)
    _dry: bool = False
    _step_count: int = 0
    _effects: dict[str, str] = field(default_factory=dict)
    _indexes: dict[str, int] = field(default_factory=dict)
    _opened: set[str] = field(default_factory=set)
    _running: set[str] = field(default_factory=set)
    """Steps that have begun and not ended."""
    _speaking: str = ""
    _pace: Pace = field(init=False)
    _failures: list[StepEnded] = field(default_factory=list)
    _name: str = ""

    def __post_init__(self) -> None:
        self._pace = Pace(self.display.progress_every_s)

    def lines(self, event: Event, /) -> Iterator[Line]:
        """Yield the lines that tell of the event; often none."""
        body: Body = event.body
        match body:
            case StepProgressed():
                yield from self._progressed(body, event.ts)
            case StepStarted() | StepSaid() | ItemTold() | StepRetried() | CheckpointPut() | Asked() | StepEnded():
                yield from self._of_step(body)
            case LockWaiting() | LockTaken() | LockReleased() | LockSeen():
                yield from self._of_lock(body)
            case RunStarted():
                yield from self._start(body)
            case RunResumed():
                self._name, self._step_count = one_line(body.name), body.step_count
                yield ((self._name, "bold"), (resumed_text(body), ""))
                yield ()
            case Diagnosed():
                style = "failed" if body.severity == "error" else "maybe"
                yield ((f"{body.severity}: ", style), (clean(body.message), ""))
                yield from hint_lines(body.hint, "  ")
            case RunEnded():
                yield from self._end(body)
            case FannedOut():
                yield ((f"{self._indent(body.step, 1)}{counted(len(body.runs), 'item')}, a run each", "dim"),)
            case _:
                assert_never(body)

    def _of_lock(self, body: LockWaiting | LockTaken | LockReleased | LockSeen) -> Iterator[Line]:
        match body:
            case LockWaiting():
                yield ((WAITING, "maybe"), (clean(body.holder), ""))
            case LockTaken() | LockReleased():
                verb = "holding" if isinstance(body, LockTaken) else "released"
                yield ((f"  {verb} {clean(body.path)}", "dim"),)
            case LockSeen():
                yield ((f"  {lock_text(body)}", "dim"),)

    def _of_step(
        self, body: StepStarted | StepSaid | ItemTold | StepRetried | CheckpointPut | Asked | StepEnded
    ) -> Iterator[Line]:
        match body:
            case StepStarted():
                yield from self._step_started(body)
            case StepSaid():
                yield from self._said(body)
            case ItemTold():
                yield from self._item(body)
            case StepRetried():
                why, when = retry_texts(body, self.display.signs)
                yield ((self._indent(body.step), ""), (why, "maybe"), (when, "dim"))
            case Asked():
                yield ((self._indent(body.step), ""), (f"{one_line(body.question)} ", ""), (body.answer, "bold"))
            case StepEnded():
                yield from self._step_ended(body)
            case CheckpointPut():
                if self.display.verbosity > 1:
                    yield ((f"{self._indent(body.step, 1)}{one_line(body.key)} = {_as_json(body.value)}", "dim"),)

    # The run.

    def _start(self, body: RunStarted) -> Iterator[Line]:
        self._dry = body.mode is Mode.DRY_RUN
        self._step_count = body.step_count
        self._name = one_line(body.name)
        summary = f" {self.display.signs.dot} {one_line(body.summary)}" if body.summary else ""
        yield ((self._name, "bold"), (summary, ""))
        if self._dry:
            yield (("  dry run: nothing is changed", "maybe"),)
        if body.archive_root:
            yield (("  archive ", "dim"), (one_line(body.archive_root), ""))
        if body.targets:
            yield (("  targets ", "dim"), (one_line(", ".join(body.targets)), ""))
        yield (("  run     ", "dim"), (body.folder.rpartition("/")[2], "dim"))
        yield ()

    def _end(self, body: RunEnded) -> Iterator[Line]:
        style = {Outcome.OK: "ok", Outcome.FAILED: "failed"}.get(body.outcome, "maybe")
        yield ()
        yield ((self.display.signs.rule * min(self.display.width, 72), "dim"),)
        dot = self.display.signs.dot
        name = f" {self._name}" if self._name else ""
        parts: list[Segment] = [(body.outcome, f"bold {style}"), (f"{name} in {duration(body.duration_s)}", "")]
        for number, status in enumerate(each for each in _COUNTED if body.counts.get(each)):
            parts.append(("   " if number == 0 else f" {dot} ", "dim"))
            parts.append((f"{body.counts[status]} {self._word(status)}", STYLES.get(status, "")))
        yield tuple(parts)
        yield from self._why(body)
        if body.next_command:
            yield ()
            yield (("next: ", "dim"), (body.next_command, "bold"))

    def _why(self, body: RunEnded) -> Iterator[Line]:
        told = set()
        for ended in self._failures:
            if ended.error is None:
                continue
            told.add(ended.error.message)
            yield ()
            sign = f"{self.display.signs.failed} "
            yield ((sign, "failed"), (step_name(ended.step), "bold"), (f"  {ended.step.id}", "dim"))
            yield from indented(ended.error.message, "    ")
            yield from hint_lines(ended.error.hint, "    ")
        if body.error is not None and body.error.message not in told:
            yield ()
            yield ((f"{self.display.signs.failed} ", "failed"), (clean(body.error.message), ""))
            yield from hint_lines(body.error.hint, "  ")

    # Steps.

    def _step_started(self, body: StepStarted) -> Iterator[Line]:
        self._effects[body.step.id] = body.effects
        self._indexes[body.step.id] = body.index
        if body.step.uses not in GROUPS:
            self._running.add(body.step.id)
        if body.step.uses in GROUPS and body.attempt == 1:
            name = step_name(body.step)
            yield ((self._indent(body.step), ""), (f"{self.display.signs.group} {name}", "bold"))

    def _said(self, body: StepSaid) -> Iterator[Line]:
        if body.text.startswith(SUMMARY_MARKER):
            return
        yield from self._open(body.step)
        indent = self._indent(body.step, 1)
        for line in clean(body.text).split("\n"):
            yield ((f"{indent}{self.display.signs.said} ", "dim"), (line, ""))

    def _open(self, step: StepRef) -> Iterator[Line]:
        """Say which step is about to speak, and again when another has spoken meanwhile.

        A step without effects speaks for itself, unless it runs beside others.
        """
        beside = self._runs_beside(step)
        spoke_last, self._speaking = self._speaking == step.id, step.id
        known = step.id in self._opened or self._effects.get(step.id, "none") == "none"
        if spoke_last if beside else known:
            return
        self._opened.add(step.id)
        yield ((self._indent(step), ""), (f"{self.display.signs.running} {self._called(step)}", "dim"))

    def _runs_beside(self, step: StepRef) -> bool:
        """Return whether other steps run at the same time, as items of a loop may."""
        return bool(self._running - {step.id})

    def _called(self, step: StepRef) -> str:
        """Return the step's name, with its item where others run beside it."""
        name = step_name(step)
        item = f"[{one_line(step.item)}]"
        return f"{name} {item}" if step.item and self._runs_beside(step) and not name.endswith(item) else name

    def _progressed(self, body: StepProgressed, ts: str) -> Iterator[Line]:
        if not self.display.progress:
            return
        if not self._pace.due(body.step.id, ts):
            return
        yield from self._open(body.step)
        yield ((self._indent(body.step, 1), ""), (progress_text(body), "dim"))

    def _item(self, body: ItemTold) -> Iterator[Line]:
        yield from self._open(body.step)
        style = STYLES.get(body.status, "dim" if body.status == "ok" else "")
        detail = f"  {one_line(body.detail)}" if body.detail else ""
        yield (
            (self._indent(body.step, 1), ""),
            (f"{body.status:<{_WORD_WIDTH}} ", style),
            (one_line(body.key), ""),
            (detail, "dim"),
        )

    def _step_ended(self, body: StepEnded) -> Iterator[Line]:
        group = body.step.uses in GROUPS
        called = self._called(body.step)
        self._running.discard(body.step.id)
        if body.status in {Status.FAILED, Status.INTERRUPTED} and not group:
            self._failures.append(body)
        if body.status is Status.RESCUED:
            self._failures = [each for each in self._failures if not each.step.id.startswith(f"{body.step.id}/")]
        if group and body.status not in {Status.SKIPPED, Status.RESCUED, Status.MAYBE, Status.NOT_RUN, Status.REUSED}:
            return
        style = STYLES.get(body.status, "")
        sign = sign_of(self.display.signs, body.status)
        summary = one_line(body.summary)
        index = self._indexes.get(body.step.id, 0)
        count = f" [{index}/{self._step_count}]" if index else ""
        timed = body.status not in {Status.SKIPPED, Status.REUSED, Status.MAYBE} and (body.duration_s >= 0.1)
        yield (
            (self._indent(body.step), ""),
            (f"{sign} {self._word(body.status):<{_WORD_WIDTH}} ", style),
            (called, "bold" if body.status is not Status.SKIPPED else "dim"),
            (count, "dim"),
            (f"  {summary}" if summary else "", "failed" if body.status in {Status.FAILED, Status.INTERRUPTED} else ""),
            (f"  {duration(body.duration_s)}" if timed else "", "dim"),
        )
        if self.display.verbosity > 1:
            for name, value in body.outputs.items():
                yield ((f"{self._indent(body.step, 1)}{name} = {_as_json(value)}", "dim"),)
        if self._dry or self.display.diff:
            yield from self._changes(body)

    def _changes(self, body: StepEnded) -> Iterator[Line]:
        indent = self._indent(body.step, 1)
        for change in body.changes:
            path = f"  {one_line(change.path)}" if change.path and change.path not in change.what else ""
            yield ((f"{indent}{self.display.signs.changed} ", "changed"), (one_line(change.what), ""), (path, "dim"))
            if self.display.diff:
                yield from diff_lines(change.diff, indent + "  ")

    def _word(self, status: str) -> str:
        if self._dry and status == "changed":
            return "pending"
        return status.replace("-", " ")

    def _indent(self, step: StepRef, extra: int = 0) -> str:
        return "  " * (1 + step.depth + extra)


def _as_json(value: JsonValue) -> str:
    return clean(json.dumps(value, ensure_ascii=False))
