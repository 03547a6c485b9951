"""Lines for people, and the pieces they are made of."""

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from dce_play.events import LockSeen, RunResumed, StepProgressed, StepRef, StepRetried
from dce_play.render.text import Signs, amount, duration, one_line
from dce_play.system.counted import counted, in_number
from dce_play.system.foreign_text import clean

Segment: TypeAlias = tuple[str, str]
"""A text and its style: ``ok changed skipped failed rescued maybe dim bold`` or nothing."""
Line: TypeAlias = tuple[Segment, ...]


STYLES: Mapping[str, str] = {
    "ok": "ok",
    "changed": "changed",
    "skipped": "dim",
    "failed": "failed",
    "interrupted": "failed",
    "rescued": "rescued",
    "reused": "dim",
    "maybe": "maybe",
    "not-run": "dim",
}


WAITING = "waiting for the lock: "


def resumed_text(body: RunResumed, /) -> str:
    """Return what follows the name of a run that is resumed: `` goes on: 2 steps are done already``."""
    return f" goes on: {counted(body.reused_count, 'step is', 'steps are')} done already"


def lock_text(body: LockSeen, /) -> str:
    """Return how a dry run found the lock."""
    detail = f" ({one_line(body.detail)})" if body.detail else ""
    return f"lock {body.state}{detail}; a dry run takes nothing"


def retry_texts(body: StepRetried, signs: Signs, /) -> tuple[str, str]:
    """Return why a step is tried again, and when."""
    return f"{signs.again} try {body.attempt}: {one_line(body.reason)}", f"; again in {duration(body.delay_s)}"


def sign_of(signs: Signs, status: str, /) -> str:
    """Return the sign that stands before a step of that status."""
    by_status = {
        "ok": signs.ok,
        "changed": signs.changed,
        "skipped": signs.skipped,
        "failed": signs.failed,
        "interrupted": signs.failed,
        "rescued": signs.rescued,
        "reused": signs.ok,
        "maybe": signs.maybe,
    }
    return by_status.get(status, signs.skipped)


def step_name(step: StepRef) -> str:
    """Return the step's name, with the loop item where the name does not tell it."""
    name = one_line(step.name)
    looped = step.id.endswith("]") and step.item and not re.search(rf"\b{re.escape(step.item)}\b", name)
    return f"{name} [{one_line(step.item)}]" if looped else name


def progress_text(body: StepProgressed, /) -> str:
    """Return ``lab-guild 1/3  general  16 200 messages  620/s``, or ``12 of 40 channels (30 %)``."""
    if body.reached is not None:
        return clean(body.reached.text()).replace("\n", " ")
    unit = one_line(body.unit)
    if not body.total:
        return f"{amount(body.done)} {in_number(body.done, unit.removesuffix('s'), unit)}"
    return f"{amount(body.done)} of {amount(body.total)} {unit} ({100 * body.done / body.total:.0f} %)"


def hint_lines(hint: str, indent: str, /) -> Iterator[Line]:
    """Yield the lines of a hint."""
    for number, line in enumerate(clean(hint).splitlines()):
        yield ((f"{indent}{'hint: ' if number == 0 else '      '}", "dim"), (line, ""))


def indented(text: str, indent: str, /) -> Iterator[Line]:
    """Yield each line of a text behind the indent."""
    for line in clean(text).splitlines():
        yield ((f"{indent}{line}", ""),)


def diff_lines(diff: str, indent: str, /) -> Iterator[Line]:
    """Yield a diff in colours."""
    for line in clean(diff).splitlines():
        style = {"+": "ok", "-": "failed", "@": "maybe"}.get(line[:1], "dim")
        yield ((indent, ""), (line, style))
