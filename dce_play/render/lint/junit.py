"""Findings as a JUnit report: a test case a file, which fails by what makes lint fail.

Source: the form that Jenkins and GitLab read; it has no official definition.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from dce_play.render.lint.places import sentence, shown_path
from dce_play.source import Problem, Severity


def as_junit(problems: Iterable[Problem], files: Sequence[Path], folder: Path, *, strict: bool) -> str:
    """Return the report; warnings fail a file when ``strict``, else they stand in its output."""
    by_file: dict[Path, list[Problem]] = {path: [] for path in files}
    for problem in problems:
        by_file.setdefault(problem.span.path, []).append(problem)
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    counts = {
        "name": "dce-play lint",
        "tests": str(len(by_file)),
        "failures": str(sum(any(each.severity in failing for each in found) for found in by_file.values())),
        "errors": "0",
    }
    top = ET.Element("testsuites", counts)
    suite = ET.SubElement(top, "testsuite", counts | {"skipped": "0", "time": "0"})
    for path, found in by_file.items():
        name = shown_path(path, folder)
        case = ET.SubElement(suite, "testcase", {"classname": "dce-play.lint", "name": name, "file": name, "time": "0"})
        for problem in (each for each in found if each.severity in failing):
            failure = ET.SubElement(case, "failure", {"type": problem.rule, "message": sentence(problem)})
            failure.text = _line(problem, name)
        told = [_line(problem, name) for problem in found if problem.severity not in failing]
        if told:
            ET.SubElement(case, "system-out").text = "\n".join(told)
    ET.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(top, encoding="unicode") + "\n"


def _line(problem: Problem, name: str) -> str:
    span = problem.span
    return f"{name}:{span.line}:{span.column}: {problem.severity} {problem.rule}: {sentence(problem)}"
