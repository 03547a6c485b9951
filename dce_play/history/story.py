"""What one run did, as lines for people: how it ended, what it brought, step by step, and why it failed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from dce_play.events import CONDITION_FALSE, Mode
from dce_play.history.columns import GAP, table
from dce_play.history.gains import TargetGain
from dce_play.history.run_rows import RunRow, gained, run_row, targets_words
from dce_play.history.when import age, age_s, day_and_time
from dce_play.render.report import fold_report
from dce_play.render.text import duration, one_line
from dce_play.runner.record.folders import RunInfo, State
from dce_play.runner.record.journal import JOURNAL_NAME, readable_events
from dce_play.source import JsonValue
from dce_play.system.counted import counted, in_number
from dce_play.system.foreign_text import clean

_NAMED_LINES = 3
_MOST_CHANNELS = 20
"""Channels that are named; of those beyond only the sum is told."""
_CELLS = 76
_NOT_DONE = frozenset({"failed", "skipped", "not_tried"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One run, read whole."""

    row: RunRow
    report: Mapping[str, JsonValue]
    """As ``report.json`` has it."""
    damaged_lines: tuple[int, ...] = ()
    """Lines of the journal that are no events."""
    unreadable: str = ""
    """Why the journal cannot be read at all."""

    @property
    def steps(self) -> list[dict[str, JsonValue]]:
        """The steps that ended, in order, without the groups around them."""
        steps = self.report.get("steps")
        found = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
        return [step for step in found if not step.get("group")]


def read_story(info: RunInfo, /) -> Story:
    """Return what the run did, as far as its journal can be read."""
    try:
        events, damaged = readable_events(info.folder / JOURNAL_NAME)
    except OSError as error:
        return Story(row=RunRow(info=info), report=fold_report(()), unreadable=error.strerror or str(error))
    return Story(row=run_row(info), report=fold_report(events), damaged_lines=tuple(damaged))


def story_lines(story: Story, /, *, now: datetime) -> Iterator[str]:
    """Yield the lines."""
    row, info = story.row, story.row.info
    name = f"{one_line(info.name)}  " if info.name else ""
    dry = "  (dry run)" if info.mode is Mode.DRY_RUN else ""
    took = "" if info.state in {State.RUNNING, State.LOST, State.DAMAGED} else f" in {duration(info.duration_s)}"
    yield f"{name}{row.word}{took}{dry}  {info.run_id}"
    about = [day_and_time(info.started, now), targets_words(info.targets), one_line(info.archive_root)]
    if any(about):
        yield "  " + "  ".join(part for part in about if part)
    yield from _damage(story)
    yield from _step_lines(story)
    yield from _under_way(row, now)
    yield from _why(story)
    if row.gains.targets:
        yield f"  {gained(row.gains) if row.gains.added else 'nothing new'}{'  proved' if row.gains.proved else ''}"
    for gain in row.gains.targets:
        yield from _target(gain)
    yield f"  folder  {info.folder}"


def _step_lines(story: Story) -> Iterator[str]:
    left_out = 0
    for step in story.steps:
        if step["status"] == "skipped" and step["summary"] == CONDITION_FALSE:
            left_out += 1
            continue
        yield f"  {step['status']!s:<8}  {step['id']}  {one_line(str(step['summary'] or ''))}".rstrip()
    if left_out:
        yield f"  {left_out} step{'s' if left_out > 1 else ''} left out: {CONDITION_FALSE}"


def _target(gain: TargetGain) -> Iterator[str]:
    grown = sorted((each for each in gain.channels if each.added), key=lambda each: -each.added)
    yield f"  {one_line(gain.target)}"
    rows = [
        (f"+{each.added:,}", one_line(each.name or each.channel_id), "" if each.total is None else f"{each.total:,}")
        for each in grown[:_MOST_CHANNELS]
    ]
    for line in table(rows, stretch=1, cells=_CELLS):
        yield f"    {GAP.join(line)}".rstrip()
    rest = grown[_MOST_CHANNELS:]
    if rest:
        yield f"    +{sum(each.added for each in rest):,} in {counted(len(rest), 'more channel')}"
    for each in gain.channels:
        if each.status in _NOT_DONE:
            name = one_line(each.name or each.channel_id)
            yield f"    {each.status.replace('_', ' ')}  {name}  {one_line(each.reason)}".rstrip()
            yield from (f"        {one_line(text)}" for text in (each.fix, each.keeps) if text)
    if gain.unarchived:
        yield f"    not archived: {', '.join(map(one_line, gain.unarchived))}"


def _damage(story: Story) -> Iterator[str]:
    info = story.row.info
    if story.unreadable:
        yield f"  its journal cannot be read: {story.unreadable}"
    elif story.damaged_lines:
        named = ", ".join(str(number) for number in story.damaged_lines[:_NAMED_LINES])
        more = ", …" if len(story.damaged_lines) > _NAMED_LINES else ""
        lines = in_number(len(story.damaged_lines), "line")
        yield f"  {info.folder / JOURNAL_NAME}: {lines} {named}{more}: not an event; the others are told here"
    elif info.state is State.DAMAGED:
        yield f"  {info.folder / JOURNAL_NAME}: {one_line(info.error)}"


def _under_way(row: RunRow, now: datetime) -> Iterator[str]:
    info, place = row.info, row.place
    if info.state is State.RUNNING:
        heard = f"  (last heard of {age(age_s(place.heard, now))} ago)" if place.heard else ""
        yield f"  running   {place.words(info.step_count) or 'its first step has not begun'}{heard}"
    elif info.state is State.LOST:
        yield f"  killed in {place.words(info.step_count) or 'nothing: no step had begun'}"


def _why(story: Story) -> Iterator[str]:
    told = set()
    for step in story.steps:
        error = step.get("error")
        if step.get("status") == "failed" and isinstance(error, dict):
            told.add(str(error.get("message")))
            yield from _failure(str(step.get("name") or step.get("id")), error)
    error = story.report.get("error")
    if isinstance(error, dict) and str(error.get("message")) not in told:
        yield from _failure("the run", error)
    diagnostics = story.report.get("diagnostics")
    for each in diagnostics if isinstance(diagnostics, list) else []:
        if isinstance(each, dict):
            yield f"  {each.get('severity')}: {one_line(str(each.get('message')))}"


def _failure(what: str, error: Mapping[str, JsonValue]) -> Iterator[str]:
    yield f"  ✗ {one_line(what)}"
    for line in clean(str(error.get("message", ""))).splitlines():
        yield f"      {line}"
    for number, line in enumerate(clean(str(error.get("hint") or "")).splitlines()):
        yield f"      {'hint: ' if number == 0 else '      '}{line}"
