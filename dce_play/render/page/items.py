"""The items of one step as a block of the page: what changed by name, the rest counted, what needs a look named."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dce_play.events import ItemTold
from dce_play.facts import ItemFacts
from dce_play.render.lines import Line, Segment
from dce_play.render.page.fitting import Fitting
from dce_play.render.text import amount, counted
from dce_play.system.cells import width

QUIET = frozenset({"ok", "unchanged", "skipped"})
"""Statuses of items that are counted and not listed, unless something came in."""
_NAME_WIDTH = 32
_APART = 3
_LEAST_FAILURES = 2
"""So many are told with their reasons, however low the screen is."""


def facts_of(told: ItemTold, /) -> ItemFacts:
    """Return the item's facts, made from its key where the step told none."""
    return told.facts or ItemFacts(kind="item", name=told.key)


def told_again(before: ItemTold | None, told: ItemTold, /) -> ItemTold:
    """Return the item as it stands after another try: what an earlier one brought stays brought."""
    if before is None or before.facts is None or told.facts is None or not before.facts.added:
        return told
    return replace(told, facts=replace(told.facts, added=told.facts.added + before.facts.added))


def is_listed(told: ItemTold, /) -> bool:
    """Return whether the item has a line of its own."""
    facts = facts_of(told)
    return facts.counts and (facts.added > 0 or (told.status not in QUIET and not facts.remark))


def block(items: Sequence[ItemTold], fit: Fitting, /, *, rows: int, indent: str) -> Iterator[Line]:
    """Yield the items' lines: ``rows`` for what failed and what changed, as far as they go, and one of counts."""
    failed = [each for each in items if each.status == "failed"]
    failures = _failures(failed, fit, indent, rows=rows)
    rows = max(rows - len(failures), 1)
    listed = [each for each in items if is_listed(each) and each.status != "failed"]
    shown = listed
    if len(listed) > rows:
        most = sorted(listed, key=lambda each: -facts_of(each).added)[: max(rows - 1, 1)]
        shown = [each for each in listed if each in most]
    yield from _rows(shown, fit, indent)
    if len(shown) < len(listed):
        rest = [facts_of(each) for each in listed if each not in shown]
        added = sum(each.added for each in rest)
        more = f"in {counted(len(rest), f'more {rest[0].kind}')}"
        yield fit.fitted([(indent, ""), (_plus(added), "ok"), ("  ", ""), (more, "dim")])
    yield from failures
    yield from _counts(items, fit, indent)


def _rows(shown: Sequence[ItemTold], fit: Fitting, indent: str) -> Iterator[Line]:
    if not shown:
        return
    names = [fit.text(facts_of(each).name) for each in shown]
    adds = [_added(each) for each in shown]
    totals = [_total(facts_of(each)) for each in shown]
    keys = [f"#{fit.text(each.key)}" if each.key != facts_of(each).name else "" for each in shown]
    add_width, total_width, key_width = (max(map(width, texts)) for texts in (adds, totals, keys))
    room = fit.width - width(indent) - add_width - total_width - key_width - 2 - 2 * _APART
    if room < min(_NAME_WIDTH // 2, max(map(width, names))):
        keys, room = [""] * len(keys), room + key_width + _APART
    name_width = max(min(max(map(width, names)), max(room, 4), max(_NAME_WIDTH, room // 2)), 4)
    details = ["" if each.facts is not None else fit.text(each.detail) for each in shown]
    for name, add, total, key, detail in zip(names, adds, totals, keys, details, strict=True):
        style = "ok" if add.startswith("+") else "changed"
        yield fit.fitted(
            [
                (indent, ""),
                (fit.column(add, add_width, right=True), style),
                ("  ", ""),
                (fit.column(name, name_width), "bold"),
                (" " * _APART + fit.column(total, total_width, right=True) if total_width else "", ""),
                (" " * _APART + key if key else "", "dim"),
                (f"  {detail}" if detail else "", "dim"),
            ]
        )


def _total(facts: ItemFacts) -> str:
    return "" if facts.total is None else amount(facts.total)


def _added(told: ItemTold) -> str:
    facts = facts_of(told)
    return _plus(facts.added) if facts.added or told.status == "created" else told.status


def _plus(added: int) -> str:
    return f"+ {amount(added):>4}"


def _failures(failed: Sequence[ItemTold], fit: Fitting, indent: str, *, rows: int) -> list[Line]:
    """Return what failed with its reasons, as far as the rows go; the others are named, and ``runs show`` has them."""
    lines: list[Line] = []
    for number, each in enumerate(failed):
        told = list(failure(each, fit, indent))
        last = number == len(failed) - 1
        if number >= _LEAST_FAILURES and len(lines) + len(told) + (not last) > rows:
            before = f"{indent}{fit.signs.failed} {amount(len(failed) - number)} more failed: "
            names = fit.names([facts_of(rest).name for rest in failed[number:]], max(fit.width - width(before), 8))
            return [*lines, fit.fitted([(before, "failed"), (names, "")])]
        lines += told
    return lines


def failure(told: ItemTold, fit: Fitting, indent: str, /, *, whose: str = "") -> Iterator[Line]:
    """Yield what failed and why, its file, and the command that mends it with what that saves."""
    facts = facts_of(told)
    name = fit.cut(fit.text(f"{whose}/{facts.name}" if whose else facts.name), max(fit.width // 3, 8))
    reason = fit.text(facts.why or told.detail)
    sign: Segment = (f"{indent}{fit.signs.failed} ", "failed")
    if width(sign[0]) + width(name) + 2 + width(reason) <= fit.width:
        yield (sign, (name, "bold"), (f"  {reason}", ""))
    else:
        yield fit.fitted([sign, (name, "bold")])
        yield from fit.wrapped((f"{indent}    ", ""), reason)
    if facts.path:
        yield fit.fitted([(f"{indent}    file  ", "dim"), (fit.text(facts.path), "")])
    if facts.fix:
        yield from fit.command((f"{indent}    fix   ", "dim"), facts.fix)
    if facts.keeps:
        yield fit.fitted([(f"{indent}          {fit.text(facts.keeps)}", "dim")])


def _counts(items: Sequence[ItemTold], fit: Fitting, indent: str) -> Iterator[Line]:
    """Yield ``= 7 unchanged   ! 1 forbidden: staff-only``, on one line where it fits."""
    quiet = [each for each in items if each.status in QUIET and not is_listed(each) and facts_of(each).counts]
    alike: dict[str, int] = {}
    for each in quiet:
        if not facts_of(each).remark:
            alike[each.status] = alike.get(each.status, 0) + 1
    parts: list[Segment] = [(f"= {amount(count)} {status}", "dim") for status, count in alike.items()]
    remarks: dict[str, list[str]] = {}
    for each in items:
        facts = facts_of(each)
        if facts.remark and facts.counts and each.status != "failed":
            remarks.setdefault(facts.remark, []).append(facts.name)
    room = fit.width - width(indent) - sum(width(text) + _APART for text, _ in parts)
    for remark, names in remarks.items():
        before = f"! {amount(len(names))} {fit.text(remark)}: "
        each_room = max(room // max(len(remarks), 1) - width(before) - _APART, 24)
        parts.append((before + fit.names(names, min(each_room, fit.width - width(indent) - width(before))), "maybe"))
    line: list[Segment] = []
    for part in parts:
        taken = sum(width(text) for text, _ in line)
        if line and width(indent) + taken + _APART + width(part[0]) > fit.width:
            yield fit.fitted([(indent, ""), *line])
            line = []
        line += [(" " * _APART, ""), part] if line else [part]
    if line:
        yield fit.fitted([(indent, ""), *line])
