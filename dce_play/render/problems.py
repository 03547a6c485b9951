"""Problems of documents as people read them: the line, a caret under what is wrong, and what to do."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from dce_play.source import JsonValue, Problem, Severity, Span
from dce_play.system.counted import counted
from dce_play.system.foreign_text import clean, pictures, visible

_WIDTH = 100
_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}


def render_problems(
    problems: Iterable[Problem], texts: Mapping[Path, str], *, folder: Path, colour: bool = False
) -> str:
    """Return the problems in the order given, each with its line. Paths below ``folder`` are shown relative to it."""
    lines_of = {path: text.split("\n") for path, text in texts.items()}
    return "\n".join(_one(problem, lines_of, folder=folder, paint=_painter(problem, colour)) for problem in problems)


def summary(problems: Iterable[Problem], file_count: int) -> str:
    """Return how many problems there are, in words."""
    found = list(problems)
    counts = [(severity, sum(problem.severity is severity for problem in found)) for severity in Severity]
    words = [counted(count, severity) for severity, count in counts if count]
    files = counted(file_count, "file")
    return f"{', '.join(words)} in {files}" if words else f"{files} without a problem"


def as_json(problem: Problem, *, folder: Path) -> dict[str, JsonValue]:
    """Return the problem as a mapping for machines."""
    return {
        "rule": problem.rule,
        "severity": str(problem.severity),
        "file": _relative(problem.span.path, folder),
        "line": problem.span.line,
        "column": problem.span.column,
        "end_line": problem.span.end_line,
        "end_column": problem.span.end_column,
        "message": problem.message,
        "hint": problem.hint,
    }


def _painter(problem: Problem, colour: bool) -> Callable[[str], str]:
    code = _COLOURS[problem.severity]

    def paint(text: str) -> str:
        return f"\x1b[1;{code}m{text}\x1b[0m" if colour else text

    return paint


def _one(problem: Problem, lines_of: Mapping[Path, list[str]], *, folder: Path, paint: Callable[[str], str]) -> str:
    span = problem.span
    head = f"{paint(f'{problem.severity}[{problem.rule}]')}: {clean(problem.message)}"
    lines = lines_of.get(span.path, [])
    number = str(span.line)
    margin = " " * (len(number) + 2)
    where = f"{' ' * len(number)} --> {_shown_path(span.path, folder)}:{span.line}:{span.column}"
    shown = [head, where]
    if 0 < span.line <= len(lines):
        text, offset = _window(pictures(lines[span.line - 1].rstrip("\r").replace("\t", " ")), span)
        caret = " " * (span.column - 1 - offset) + paint("^" * _caret_length(text, span, offset))
        hint = f" {clean(problem.hint)}" if problem.hint else ""
        shown += [f"{margin}|", f" {number} | {text}".rstrip(), f"{margin}| {caret}{hint}"]
    elif problem.hint:
        shown.append(f"{margin}= {clean(problem.hint)}")
    shown += [
        f"{margin}= {clean(note)}: {_shown_path(place.path, folder)}:{place.line}:{place.column}"
        for note, place in problem.related
    ]
    return "\n".join(shown) + "\n"


def _window(line: str, span: Span) -> tuple[str, int]:
    """Return the part of a long line around the span, and how many characters were left out before it."""
    if len(line) <= _WIDTH:
        return line, 0
    offset = max(0, min(span.column - 1 - _WIDTH // 3, len(line) - _WIDTH))
    return line[offset : offset + _WIDTH], offset


def _caret_length(text: str, span: Span, offset: int) -> int:
    start = span.column - 1 - offset
    end = span.end_column - 1 - offset if span.end_line == span.line else len(text)
    return max(1, min(end, len(text)) - start)


def _shown_path(path: Path, folder: Path) -> str:
    return visible(_relative(path, folder))


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
