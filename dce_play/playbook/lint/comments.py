"""What lint reads in comments: the editors' schema line, and ``# dce-play: ignore[W411] reason``."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dce_play.playbook.lint.table import RULES
from dce_play.source import Document, Problem, Severity, Span, did_you_mean

_MODELINE = re.compile(r"^# (yaml-language-server: \$schema=|\$schema: )", re.MULTILINE)
_IGNORE = re.compile(r"#\s*dce-play:\s*ignore\[(?P<rules>[^\]]*)\](?P<reason>.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suppression:
    rules: tuple[str, ...]
    first: int
    last: int
    """Lines that it covers, inclusive."""
    span: Span
    reason: str


def modeline(document: Document, schema: str) -> list[Problem]:
    """Return I601, when the file does not tell editors its schema."""
    if document.path.suffix == ".json" or _MODELINE.search(document.text[:2000]):
        return []
    line = f"# yaml-language-server: $schema={schema}\n"
    span = Span(path=document.path, line=1, column=1, end_line=1, end_column=1)
    message = "no line tells editors the schema"
    hint = f"begin the file with {line.strip()}"
    return [Problem(rule="I601", message=message, span=span, severity=Severity.INFO, hint=hint, replacement=line)]


def suppress(document: Document, problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that no comment suppresses, and W901 for comments that suppress nothing or not well."""
    suppressions = _suppressions(document)
    used: set[Span] = set()
    kept: list[Problem] = []
    for problem in problems:
        covering = [
            each for each in suppressions if problem.rule in each.rules and each.first <= problem.span.line <= each.last
        ]
        if covering and problem.severity is not Severity.ERROR and problem.span.path == document.path:
            used.update(each.span for each in covering)
        else:
            kept.append(problem)
    unread = any(problem.severity is Severity.ERROR for problem in kept)  # style is looked at when there are no errors
    for each in suppressions:
        kept.extend(_poor(each, used=unread or each.span in used))
    return kept


def _poor(suppression: _Suppression, *, used: bool) -> list[Problem]:
    def warn(message: str, hint: str = "") -> list[Problem]:
        return [Problem(rule="W901", message=message, span=suppression.span, severity=Severity.WARNING, hint=hint)]

    for rule in suppression.rules:
        if rule not in RULES:
            return warn(f'there is no rule "{rule}"', did_you_mean(rule, RULES) if len(rule) == 4 else "")
        if rule.startswith("E"):
            return warn(f"{rule} is an error, and errors cannot be ignored")
    if not used:
        return warn("this suppresses nothing", "remove it")
    return [] if suppression.reason else warn("a suppression needs a reason", "write why, after the bracket")


def _suppressions(document: Document) -> list[_Suppression]:
    if "dce-play:" not in document.text:
        return []
    lines = document.text.split("\n")
    found: list[_Suppression] = []
    for number, line in enumerate(lines, start=1):
        match = _IGNORE.search(line)
        if match is None:
            continue
        first, last = _covered(lines, number)
        found.append(
            _Suppression(
                rules=tuple(rule.strip() for rule in match["rules"].split(",")),
                first=first,
                last=last,
                span=Span(
                    path=document.path,
                    line=number,
                    column=match.start() + 1,
                    end_line=number,
                    end_column=len(line.rstrip()) + 1,
                ),
                reason=match["reason"].strip(),
            )
        )
    return found


def _covered(lines: list[str], number: int) -> tuple[int, int]:
    """Return the lines a comment covers: its own; or, on a line of its own, the step below it; at the top, the file."""
    if not lines[number - 1].lstrip().startswith("#"):
        return number, number
    if all(not line.strip() or line.lstrip().startswith("#") for line in lines[:number]):
        return 1, len(lines)
    start = number
    while start < len(lines) and (not lines[start].strip() or lines[start].lstrip().startswith("#")):
        start += 1
    if start == len(lines):
        return number, number
    indent = _indent(lines[start])
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > indent):
        end += 1
    return start + 1, end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
