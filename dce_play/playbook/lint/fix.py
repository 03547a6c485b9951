"""Mends what lint can mend with certainty. Only the characters in question change: comments and layout stay."""

from collections.abc import Iterable
from pathlib import Path

from dce_play.source import Problem, Span
from dce_play.system.durable.named_outputs import write_named


def fix_files(problems: Iterable[Problem]) -> int:
    """Write every certain replacement into its file, and return how many there were."""
    by_path: dict[Path, list[Problem]] = {}
    for problem in problems:
        if problem.replacement is not None:
            by_path.setdefault(problem.span.path, []).append(problem)
    for path, each in by_path.items():
        text = path.read_bytes().decode("utf-8")
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        write_named(path, (mark + mend(text.removeprefix("\ufeff"), each)).encode("utf-8"), what="the mended file")
    return sum(len(_apart(each)) for each in by_path.values())


def mend(text: str, problems: Iterable[Problem]) -> str:
    """Return the text with the replacements made, the last one first, so that no place moves."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    for problem in reversed(_apart(problems)):
        first, last = _offsets(starts, problem.span)
        text = text[:first] + (problem.replacement or "") + text[last:]
    return text


def _apart(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems with a replacement in the order of their places, without those that overlap an earlier."""
    kept: list[Problem] = []
    for problem in sorted(problems, key=lambda each: each.span):
        end = (kept[-1].span.end_line, kept[-1].span.end_column) if kept else (0, 0)
        if problem.replacement is not None and (problem.span.line, problem.span.column) >= end:
            kept.append(problem)
    return kept


def _offsets(starts: list[int], span: Span) -> tuple[int, int]:
    return starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
