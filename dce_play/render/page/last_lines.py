"""The last lines of a page: what the run did in people's units, what is left to do, what to type next."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dce_play.errors import ExitCode
from dce_play.events import ItemTold, Outcome, RunEnded
from dce_play.facts import ItemFacts
from dce_play.render.lines import Line, Segment
from dce_play.render.page.fitting import Fitting
from dce_play.render.page.items import facts_of, told_again
from dce_play.render.text import amount, counted, duration
from dce_play.system.cells import width
from dce_play.system.counted import in_number

_STYLES = {Outcome.OK: "ok", Outcome.FAILED: "failed"}
_NOT_WORKED_ON = frozenset({"failed", "unarchived"})
_STEPS = ("ok", "changed", "reused", "maybe")


@dataclass(slots=True)
class Tally:
    """What the items of a run come to."""

    _items: dict[tuple[str, str], ItemTold] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    """Of the steps that ended well: ``proved``."""

    def add(self, told: ItemTold, /) -> None:
        """Count one item."""
        facts = told.facts
        if facts is None:
            return
        if facts.recap and facts.recap not in self.words:
            self.words.append(facts.recap)
        if facts.counts:
            key = (told.step.id, told.key)
            self._items[key] = told_again(self._items.get(key), told)

    @property
    def items(self) -> Iterable[ItemTold]:
        """Each item once, as it stands after its last try."""
        return self._items.values()

    def text(self) -> str:
        """Return ``+5 messages in 3 of 10 channels``; empty where nothing was counted."""
        worked_on = [facts_of(each) for each in self.items if each.status not in _NOT_WORKED_ON]
        if not worked_on:
            return ""
        added = sum(each.added for each in worked_on)
        grown = sum(1 for each in worked_on if each.added)
        things = counted(len(worked_on), worked_on[0].kind)
        if not added:
            return f"nothing new in {things}"
        several = next(each.unit for each in worked_on if each.added)
        unit = in_number(added, several.removesuffix("s"), several)
        return f"+{amount(added)} {unit} in {things if grown == len(worked_on) else f'{amount(grown)} of {things}'}"

    def failed(self) -> str:
        """Return ``2 channels failed``, or nothing."""
        failed = [facts_of(each) for each in self.items if each.status == "failed"]
        return f"{counted(len(failed), failed[0].kind)} failed" if failed else ""

    def mending(self) -> Iterator[tuple[str, str]]:
        """Yield what is left to do, and the command for it: once for each command."""
        by_fix: dict[tuple[str, str], list[ItemFacts]] = {}
        for each in self.items:
            facts = facts_of(each)
            if facts.remark and facts.fix:
                by_fix.setdefault((facts.fix, facts.remark), []).append(facts)
        for (fix, remark), found in by_fix.items():
            verb = in_number(len(found), "is", "are")
            keeps = f"; {found[0].keeps}" if len(found) == 1 and found[0].keeps else ""
            yield f"{counted(len(found), found[0].kind)} {verb} {remark}{keeps}:", fix


def ended_well(body: RunEnded, /) -> bool:
    """Return whether nobody need look at the run."""
    return body.exit_code in {ExitCode.OK, ExitCode.CHANGES_PENDING}


def recap(body: RunEnded, tally: Tally, fit: Fitting, /, *, dry: bool) -> Iterator[Line]:
    """Yield the line of the outcome."""
    style = _STYLES.get(body.outcome, "maybe")
    dot = f" {fit.signs.dot} "
    parts = [f"dry run: {_pending(body)}" if dry else tally.text() or _steps(body)]
    if not dry:
        parts += tally.words if body.outcome is Outcome.OK else []
    parts += [text for text in (tally.failed(), *_unwell(body)) if text]
    parts.append(duration(body.duration_s))
    word = body.outcome.value.upper()
    head: Segment = (f"{word}  ", f"bold {style}")
    yield from fit.wrapped(head, dot.join(parts))


def still_to_do(tally: Tally, fit: Fitting, /) -> Iterator[Line]:
    """Yield a line for each thing that somebody should look at, with its command."""
    for text, fix in tally.mending():
        before: Segment = (f"{'!':<4}{fit.text(text)} ", "maybe")
        if width(before[0]) + width(fix) <= fit.width:
            yield (before, (fix, "bold"))
        else:
            yield fit.fitted([(before[0].rstrip(), "maybe")])
            yield from fit.command((" " * 4, ""), fix)


def _steps(body: RunEnded) -> str:
    told = [f"{body.counts[status]} {status}" for status in _STEPS if body.counts.get(status)]
    return ", ".join(told) or "no step ran"


def _pending(body: RunEnded) -> str:
    pending = body.counts.get("changed", 0)
    unsure = body.counts.get("maybe", 0)
    told = f"{counted(pending, 'step')} pending" if pending else "nothing to change"
    return told + (f", {counted(unsure, 'step')} may be" if unsure else "")


def _unwell(body: RunEnded) -> Iterator[str]:
    for status, words in (("failed", "failed"), ("rescued", "rescued"), ("not-run", "not run")):
        count = body.counts.get(status, 0)
        if count:
            yield f"{counted(count, 'step')} {words}"
