"""Findings as workflow commands of GitHub Actions, which shows them beside the lines of a change.

Source: GitHub's documentation, "Workflow commands for GitHub Actions", and the runner's own escapes.
"""

from collections.abc import Iterable
from pathlib import Path

from dce_play.render.lint.places import sentence, shown_path
from dce_play.source import Problem, Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_IN_MESSAGE = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_IN_PROPERTY = (*_IN_MESSAGE, (":", "%3A"), (",", "%2C"))


def as_github(problems: Iterable[Problem], folder: Path) -> str:
    """Return a command a problem, a line each; the log shows file and line too, as it hides the command's own."""
    return "".join(f"{_command(problem, folder)}\n" for problem in problems)


def _command(problem: Problem, folder: Path) -> str:
    span, path = problem.span, shown_path(problem.span.path, folder)
    properties: dict[str, object] = {"file": path, "line": span.line, "endLine": span.end_line}
    if span.end_line == span.line:
        properties |= {"col": span.column, "endColumn": span.end_column}
    properties["title"] = problem.rule
    told = ",".join(f"{name}={_escaped(str(value), _IN_PROPERTY)}" for name, value in properties.items())
    message = _escaped(f"{path}:{span.line}:{span.column}: {sentence(problem)}", _IN_MESSAGE)
    return f"::{_COMMANDS[problem.severity]} {told}::{message}"


def _escaped(text: str, escapes: Iterable[tuple[str, str]]) -> str:
    for character, escape in escapes:
        text = text.replace(character, escape)
    return text
