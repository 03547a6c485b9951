"""One run as a page: what it brought, why it failed and what to do, and how long each step took."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dce_play.events import CONDITION_FALSE, Mode
from dce_play.history.run_rows import came_of_it, gained, targets_words
from dce_play.history.story import Story
from dce_play.pages.paper import page
from dce_play.render.text import duration
from dce_play.runner.record.folders import State
from dce_play.source import JsonValue

_UNTIMED = frozenset({State.RUNNING, State.LOST, State.DAMAGED})
_GOOD, _BAD = frozenset({"ok"}), frozenset({"failed", "damaged"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """One step, as the page shows it."""

    name: str
    item: str
    """The loop item's key; empty outside a loop."""
    status: str
    summary: str
    took: str
    share: float
    """Its part of the time of the slowest step, in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureShown:
    """One failure: what, why, and what to do."""

    what: str
    message: str
    hint: str


def run_page(story: Story, /, *, now: datetime, next_command: str) -> bytes:
    """Return the page as UTF-8. ``next_command`` is what to type next; empty for nothing."""
    row, info = story.row, story.row.info
    return page(
        "run.html.j2",
        title=f"{info.name or info.run_id} · {row.word}",
        info=info,
        word=row.word,
        tone=tone_of(row.word),
        dry=info.mode is Mode.DRY_RUN,
        when=_at(info.started, now),
        took="" if info.state in _UNTIMED else duration(info.duration_s),
        targets=targets_words(info.targets),
        place=row.place.words(info.step_count),
        headline=came_of_it(row),
        gained=gained(row.gains) if row.gains.added else "",
        gains=row.gains,
        failures=_failures(story),
        damage=_damage(story),
        steps=_steps(story),
        left_out=sum(1 for step in story.steps if _left_out(step)),
        diagnostics=_dicts(story.report.get("diagnostics")),
        next_command=next_command,
        now=now,
    )


def tone_of(word: str, /) -> str:
    """Return ``good``, ``bad`` or ``odd``, by which the page chooses colours."""
    return "good" if word in _GOOD else "bad" if word in _BAD else "odd"


def _at(stamp: str, now: datetime) -> str:
    return f"{datetime.fromisoformat(stamp).astimezone(now.tzinfo):%Y-%m-%d %H:%M %Z}" if stamp else ""


def _left_out(step: Mapping[str, JsonValue]) -> bool:
    return step.get("status") in {"skipped", "not-run"} and step.get("summary") in {CONDITION_FALSE, "", None}


def _steps(story: Story) -> list[StepShown]:
    shown = [step for step in story.steps if not _left_out(step)]
    times = [_seconds(step) for step in shown]
    longest = max(times, default=0.0)
    return [
        StepShown(
            name=str(step.get("name") or step.get("id")),
            item=str(step.get("item") or ""),
            status=str(step.get("status")),
            summary=str(step.get("summary") or ""),
            took=duration(took) if took >= 0.05 else "",
            share=round(100 * took / longest, 1) if longest else 0.0,
        )
        for step, took in zip(shown, times, strict=True)
    ]


def _seconds(step: Mapping[str, JsonValue]) -> float:
    took = step.get("duration_s")
    return float(took) if isinstance(took, int | float) and took > 0 else 0.0


def _failures(story: Story) -> list[FailureShown]:
    found = [
        _failure(str(step.get("name") or step.get("id")), error)
        for step in story.steps
        if step.get("status") == "failed" and isinstance(error := step.get("error"), dict)
    ]
    whole = story.report.get("error")
    if isinstance(whole, dict) and str(whole.get("message")) not in {each.message for each in found}:
        found.append(_failure("The run", whole))
    return found


def _failure(what: str, error: Mapping[str, JsonValue]) -> FailureShown:
    return FailureShown(what=what, message=str(error.get("message") or ""), hint=str(error.get("hint") or ""))


def _damage(story: Story) -> str:
    if story.unreadable:
        return f"Its journal cannot be read: {story.unreadable}"
    if story.damaged_lines:
        return f"{len(story.damaged_lines)} of its journal's lines are no events; the first is {story.damaged_lines[0]}"
    return story.row.info.error if story.row.info.state is State.DAMAGED else ""


def _dicts(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
