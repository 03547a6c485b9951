"""A run as one page: names first, only what changed, nothing told twice.

Items are held until their step ends. Steps of a group that all end well and change nothing become one line.
"""

from collections.abc import Iterator
from pathlib import PurePath
from typing import assert_never

from dce_play.events import (
    CONDITION_FALSE,
    GROUPS,
    Asked,
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
from dce_play.render.lines import WAITING, Line, Segment, lock_text, progress_text, resumed_text, retry_texts, step_name
from dce_play.render.pace import Pace
from dce_play.render.page.display import DEFAULT_DISPLAY, DisplayOptions
from dce_play.render.page.fitting import Fitting
from dce_play.render.page.groups import Groups
from dce_play.render.page.items import block, facts_of, is_listed, told_again
from dce_play.render.page.last_lines import Tally, recap, still_to_do
from dce_play.render.page.step_lines import changes, failure_of, folded_line, hint, news, step_line, took
from dce_play.render.text import counted
from dce_play.resources import playbooks_folder
from dce_play.system.foreign_text import clean

_LEAST_ROWS = 3
_RECAP_LINES = 4
_REHEARSAL_LINES = 3
"""Lines before and after the page of a rehearsal."""
_BLOCK_LINES = 3


class Page:
    """Folds events into the lines of a page. One belongs to one output."""

    def __init__(self, display: DisplayOptions = DEFAULT_DISPLAY) -> None:
        self._display = display
        self._fit = Fitting(display)
        self._tally = Tally()
        self._dry = False
        self._run_id = ""
        self._targets = 1
        self._blocks = 0
        self._printed = 0
        self._groups = Groups()
        self._pace = Pace(display.progress_every_s)
        self._items: dict[str, dict[str, ItemTold]] = {}
        self._effects: dict[str, str] = {}
        self._told: set[str] = set()
        """Messages of failures that are on the page."""

    def lines(self, event: Event, /) -> Iterator[Line]:
        """Yield the lines that tell of the event; often none."""
        for line in self._lines(event):
            self._printed += 1
            yield line

    def _lines(self, event: Event) -> Iterator[Line]:
        body = event.body
        match body:
            case RunStarted():
                yield from self._start(body, event.run)
            case RunResumed():
                self._run_id = event.run
                yield self._fit.fitted([(self._fit.text(body.name), "bold"), (resumed_text(body), "")])
                yield ()
            case RunEnded():
                yield from self._end(body)
            case Diagnosed():
                yield from self._diagnosed(body)
            case LockWaiting():
                yield from self._fit.wrapped((WAITING, "maybe"), body.holder)
            case LockSeen():
                yield from self._fit.wrapped(("", ""), lock_text(body), style="dim")
            case StepStarted() | StepSaid() | StepProgressed() | ItemTold() | StepRetried() | Asked() | StepEnded():
                yield from self._of_step(body, event.ts)
            case LockTaken() | LockReleased() | CheckpointPut() | FannedOut():
                return
            case _:
                assert_never(body)

    def _of_step(
        self,
        body: StepStarted | StepSaid | StepProgressed | ItemTold | StepRetried | Asked | StepEnded,
        ts: str,
    ) -> Iterator[Line]:
        match body:
            case StepStarted():
                self._effects[body.step.id] = body.effects
                self._groups.begin(body)
            case StepSaid():
                yield from self._said(body)
            case StepProgressed():
                if self._display.progress and self._pace.due(body.step.id, ts):
                    before: Segment = (f"{self._indent(body.step)}{self._fit.mark} ", "dim")
                    yield self._fit.fitted([before, (self._fit.spaced(progress_text(body)), "dim")])
            case ItemTold():
                self._item(body)
            case StepRetried():
                yield from self._open(body.step)
                text = "".join(retry_texts(body, self._fit.signs))
                yield from self._fit.wrapped((self._indent(body.step), ""), text, style="maybe")
            case Asked():
                yield from self._open(body.step)
                yield from self._fit.wrapped((self._indent(body.step), ""), f"{body.question} {body.answer}")
            case StepEnded():
                yield from self._ended(body)

    # The run.

    def _start(self, body: RunStarted, run_id: str) -> Iterator[Line]:
        fit = self._fit
        self._dry = body.mode is Mode.DRY_RUN
        self._run_id = run_id
        fit.root = f"{body.archive_root.rstrip('/')}/" if body.archive_root else ""
        self._targets = max(len(body.targets), 1)
        summary = f" {fit.signs.dot} {fit.text(body.summary)}" if body.summary else ""
        yield fit.spread([(fit.text(body.name), "bold"), (summary, "")], self._place(body.playbook))
        told = [counted(len(body.targets), "target")] if body.targets else []
        told += [fit.text(body.archive_root)] if body.archive_root else []
        told += [f"run {run_id}"]
        parts: list[Segment] = [("dry run: nothing is changed" + f" {fit.signs.dot} ", "maybe")] if self._dry else []
        for number, text in enumerate(told):
            parts += [(f" {fit.signs.dot} " if number else "", "dim"), (text, "dim")]
        yield fit.fitted(parts)
        yield ()

    def _place(self, playbook: str) -> str:
        path = PurePath(playbook)
        if path.is_relative_to(playbooks_folder()):
            return f"{path.name} of dce-play"
        inside = self._display.folder and path.is_relative_to(self._display.folder)
        return self._fit.text(str(path.relative_to(self._display.folder) if inside else path))

    def _diagnosed(self, body: Diagnosed) -> Iterator[Line]:
        style = "failed" if body.severity == "error" else "maybe"
        yield from self._fit.wrapped((f"{body.severity}: ", style), body.message)
        yield from hint(body.hint, self._fit, "  ")

    def _end(self, body: RunEnded) -> Iterator[Line]:
        fit = self._fit
        if body.error is not None and body.error.message not in self._told:
            yield from fit.wrapped((f"{fit.signs.failed} ", "failed"), body.error.message)
            yield from hint(body.error.hint, fit, "    ")
        yield ()
        yield from recap(body, self._tally, fit, dry=self._dry)
        if not self._display.staged:
            yield from still_to_do(self._tally, fit)
        if body.next_command:
            yield from fit.command(("next: ", "dim"), body.next_command)
        if not self._display.staged and self._run_id and body.report and not (self._dry and body.outcome is Outcome.OK):
            yield from fit.command(("report  ", "dim"), f"dce-play runs show {self._run_id[-6:]}{self._display.again}")

    # Groups.

    def _open(self, step: StepRef, label: str = "") -> Iterator[Line]:
        """Show the groups that the step is in, and what they held; ``label`` is what stands for the innermost."""
        groups = self._groups.around(step)
        for number, group in enumerate(groups):
            innermost = number == len(groups) - 1
            if group.shown and not (innermost and not group.label and self._groups.follows_another(group)):
                continue
            self._groups.note_last(group)
            group.label = label if innermost and not group.shown else group.label
            group.shown = True
            if not group.label:
                name = (f"{self._fit.signs.group} {self._fit.text(step_name(group.step))}", "bold")
                yield self._fit.fitted([("  " * number, ""), name])
            for ended in group.held:
                yield from self._step_line(ended)
            group.held.clear()

    def _close(self, body: StepEnded) -> Iterator[Line]:
        if body.status in {Status.SKIPPED, Status.RESCUED, Status.MAYBE} and not self._is_silent(body):
            yield from self._open(body.step)
            yield from self._step_line(body)
        group = self._groups.end(body.step)
        if group is None or not group.held:
            return
        around = self._groups.around(body.step)
        if around and not around[-1].shown:
            around[-1].held += group.held
        elif len(group.held) == 1:
            yield from self._step_line(group.held[0])
        else:
            indent = self._indent(body.step)
            yield folded_line(step_name(group.step), group.held, self._fit, indent)

    # Steps.

    def _said(self, body: StepSaid) -> Iterator[Line]:
        if body.detail:
            return
        yield from self._open(body.step)
        for line in clean(body.text).split("\n"):
            yield from self._fit.said((f"{self._indent(body.step)}{self._fit.signs.said} ", "dim"), line)

    def _item(self, body: ItemTold) -> None:
        self._tally.add(body)
        if body.status != "started" and (body.facts is None or body.facts.counts):
            items = self._items.setdefault(body.step.id, {})
            items[body.key] = told_again(items.get(body.key), body)

    def _ended(self, body: StepEnded) -> Iterator[Line]:
        items = list(self._items.pop(body.step.id, {}).values())
        if body.step.uses in GROUPS:
            yield from self._close(body)
            return
        if any(each.facts is not None for each in items):
            yield from self._block(body, items)
            if body.status is not Status.FAILED:
                return
            if any(each.status == "failed" for each in items):  # each is told with its reason
                self._told.add(failure_of(body))
                return
            items = []
        listed = [each for each in items if is_listed(each)]
        if self._is_silent(body) and not listed:
            return
        around = self._groups.around(body.step)
        if body.status is Status.OK and not listed and around and not around[-1].shown:
            around[-1].held.append(body)
            return
        yield from self._open(body.step)
        yield from self._step_line(body)
        yield from block(listed, self._fit, rows=_LEAST_ROWS * 2, indent=self._indent(body.step, 1))

    def _block(self, body: StepEnded, items: list[ItemTold]) -> Iterator[Line]:
        fit = self._fit
        facts = [facts_of(each) for each in items]
        label = fit.text(facts[0].group or step_name(body.step))
        count = counted(sum(1 for each in items if each.status != "unarchived"), facts[0].kind)
        right = f" {fit.signs.dot} {took(body)}" if took(body) else ""
        around = self._groups.around(body.step)
        if len(around) > 1:
            yield from self._open(around[-1].step)
        yield fit.spread([("  " * max(len(around) - 1, 0), ""), (label, "bold")], count + right)
        yield from self._open(body.step, label)
        self._blocks += 1
        left = self._display.height - 1 - self._printed - _RECAP_LINES
        left -= _REHEARSAL_LINES if self._display.staged else 0
        rows = max(left // max(self._targets - self._blocks + 1, 1) - _BLOCK_LINES, _LEAST_ROWS)
        yield from block(items, fit, rows=rows, indent=self._indent(body.step) or "  ")
        skipped = [each.key for each in items if each.status == "skipped"]
        yield from news(body, fit, self._indent(body.step) or "  ", named=skipped)

    def _step_line(self, body: StepEnded) -> Iterator[Line]:
        if body.status is Status.FAILED:
            self._told.add(failure_of(body))
        around = self._groups.around(body.step)
        label = around[-1].label if around else ""
        whose = label if label and self._groups.follows_another(around[-1]) else ""
        if around:
            self._groups.note_last(around[-1])
        yield from step_line(body, self._fit, self._indent(body.step), label=label, whose=whose)
        if self._dry or self._display.diff:
            yield from changes(body, self._fit, self._indent(body.step, 1), diff=self._display.diff)

    def _is_silent(self, body: StepEnded) -> bool:
        if body.status in {Status.NOT_RUN, Status.REUSED}:
            return True
        if body.status is Status.SKIPPED and body.summary == CONDITION_FALSE:
            return True
        return body.status is Status.OK and not body.summary and self._effects.get(body.step.id) == "none"

    def _indent(self, step: StepRef, extra: int = 0) -> str:
        return "  " * (sum(1 for group in self._groups.around(step) if group.shown) + extra)
