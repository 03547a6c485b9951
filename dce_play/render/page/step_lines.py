"""How one step ended, as lines of the page."""

import shlex
from collections.abc import Iterator, Sequence

from dce_play.events import Status, StepEnded
from dce_play.render.lines import STYLES, Line, Segment, diff_lines, sign_of, step_name
from dce_play.render.page.fitting import Fitting
from dce_play.render.text import duration
from dce_play.system.cells import width
from dce_play.system.foreign_text import clean

_NAME_WIDTH = 26
_CHANGES = 5
"""So many changes of a step are told; the others are counted."""
_LEAST_SUMMARY = 24
_UNTIMED = frozenset({Status.SKIPPED, Status.REUSED, Status.MAYBE})
_MOST_NEWS = 5


def name_width(fit: Fitting, /) -> int:
    """Return the width of the column in which short names stand."""
    return max(min(_NAME_WIDTH, fit.width // 3), 4)


def took(body: StepEnded, /) -> str:
    """Return how long it took; empty for less than a second."""
    return duration(body.duration_s) if body.duration_s >= 1 and body.status not in _UNTIMED else ""


def step_line(body: StepEnded, fit: Fitting, indent: str, /, *, label: str = "", whose: str = "") -> Iterator[Line]:
    """Yield the line of a step; of one that failed why, and what mends it.

    Where its group has a ``label``, what came of the step is enough; ``whose`` it is stands before it where the lines
    above are another's.
    """
    sign: Segment = (f"{indent}{sign_of(fit.signs, body.status)} ", STYLES.get(body.status, ""))
    name, summary = fit.text(step_name(body.step)), fit.text(body.summary)
    if body.status is Status.FAILED:
        yield from _failed(body, fit, sign, name)
    elif label and body.status is Status.OK:
        yield fit.spread([sign, (f"{whose}: " if whose else "", "bold"), (summary or name, "")], took(body))
    else:
        column = name_width(fit)
        told = name if width(name) > column or not summary else fit.column(name, column)
        yield from _long_or_short([sign, (told, "bold")], summary, fit, took(body))


def _long_or_short(before: list[Segment], summary: str, fit: Fitting, right: str) -> Iterator[Line]:
    taken = sum(width(text) for text, _ in before) + 2
    if not summary or taken + width(summary) + (width(right) + 2 if right else 0) <= fit.width:
        yield fit.spread([*before, (f"  {summary}" if summary else "", "")], right)
    elif fit.width - taken < _LEAST_SUMMARY:
        yield fit.spread(before, right)
        yield from fit.wrapped((" " * (width(before[0][0]) + 2), ""), summary)
    else:
        first, *rest = fit.wrapped((" " * taken, ""), summary)
        yield fit.fitted([*before, ("  ", ""), first[-1]])
        yield from rest


def folded_line(name: str, held: Sequence[StepEnded], fit: Fitting, indent: str, /) -> Line:
    """Return one line for several steps that ended well: their group's name, and their summaries as far as they go."""
    shown = fit.text(name)
    sign: Segment = (f"{indent}{fit.signs.ok} ", "ok")
    told = [fit.text(each.summary) for each in held if each.summary]
    text = f" {fit.signs.dot} ".join(told)
    taken = width(sign[0]) + 2
    if taken + width(text) + name_width(fit) <= fit.width:
        shown = fit.column(shown, name_width(fit))
    room = fit.width - taken - width(shown)
    while width(text) > room and len(told) > 1:
        told.pop()
        text = f" {fit.signs.dot} ".join([*told, fit.mark])
    return fit.fitted([sign, (f"{shown}  ", "bold"), (text, "")])


def _failed(body: StepEnded, fit: Fitting, sign: Segment, name: str) -> Iterator[Line]:
    message = failure_of(body)
    indent = " " * (width(sign[0]) + 2)
    if width(sign[0]) + width(name) + 2 + width(fit.text(message)) <= fit.width:
        yield (sign, (name, "bold"), (f"  {fit.text(message)}", "failed"))
    else:
        yield fit.fitted([sign, (name, "bold")])
        for line in message.split("\n"):
            yield from fit.wrapped((indent, ""), line)
    if body.error is not None:
        yield from hint(body.error.hint, fit, indent)


def failure_of(body: StepEnded, /) -> str:
    """Return why a step failed."""
    return body.error.message if body.error is not None else body.summary


def is_command(text: str, /) -> bool:
    """Return whether a hint is one command of ours and nothing else."""
    if not text.startswith("dce-play ") or "\n" in text:
        return False
    try:
        return not any(word.endswith((";", ":", ",")) for word in shlex.split(text))
    except ValueError:
        return False


def hint(text: str, fit: Fitting, indent: str, /) -> Iterator[Line]:
    """Yield a hint; one that is a command stands so that it can be typed, as does one behind a word (``look: …``)."""
    if is_command(text):
        yield from fit.command((f"{indent}fix   ", "dim"), clean(text))
        return
    for number, line in enumerate(clean(text).splitlines()):
        before = f"{indent}{'hint  ' if number == 0 else '      '}"
        word, colon, rest = line.partition(": ")
        if colon and is_command(rest):
            yield from fit.command((f"{before}{word}: ", "dim"), rest)
        else:
            yield from fit.wrapped((before, "dim"), line, whole=True)


def changes(body: StepEnded, fit: Fitting, indent: str, /, *, diff: bool) -> Iterator[Line]:
    """Yield what a step would change, or did; the first few, or with ``diff`` all of it."""
    shown = body.changes if diff else body.changes[:_CHANGES]
    for change in shown:
        path = f"  {fit.text(change.path)}" if change.path and change.path not in change.what else ""
        yield fit.fitted([(f"{indent}{fit.signs.changed} ", "changed"), (fit.text(change.what), ""), (path, "dim")])
        if diff:
            yield from diff_lines(change.diff, indent + "  ")
    if len(shown) < len(body.changes):
        yield fit.fitted([(indent, ""), (f"and {len(body.changes) - len(shown)} more; -v lists them", "dim")])


def news(body: StepEnded, fit: Fitting, indent: str, /, *, named: Sequence[str] = ()) -> Iterator[Line]:
    """Yield a line for each thing that a step met for the first time: its output ``news``, a list of texts.

    Items that the block has named with what is wrong with them, by their keys, are not told again.
    """
    told = body.outputs.get("news")
    texts = [str(each) for each in told] if isinstance(told, list) else []
    texts = [text for text in texts if not any(f"({key})" in text for key in named)]
    for text in texts[:_MOST_NEWS]:
        yield fit.fitted([(f"{indent}! ", "maybe"), (fit.text(text), "")])
    if len(texts) > _MOST_NEWS:
        yield fit.fitted([(f"{indent}! and {len(texts) - _MOST_NEWS} more like these", "maybe")])
