"""Findings as SARIF 2.1.0, which code scanning services and editors read.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dce_play import __version__
from dce_play.playbook.lint.table import RULES, severity_of
from dce_play.render.lint.places import sentence, shown_path, with_fingerprints
from dce_play.source import Problem, Severity, Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def as_sarif(problems: Iterable[Problem], folder: Path) -> str:
    """Return one log with one run: every rule that there is, and a result a problem."""
    found = list(problems)
    ids = sorted({*RULES, *(problem.rule for problem in found)})
    run = {
        "tool": {"driver": {"name": "dce-play", "version": __version__, "rules": [_rule(name) for name in ids]}},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(problem, fingerprint, ids.index(problem.rule), folder)
            for problem, fingerprint in with_fingerprints(found, folder)
        ],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2) + "\n"


def _rule(name: str) -> dict[str, Any]:
    title = RULES[name].title if name in RULES else name
    level = _LEVELS[severity_of(name)]
    return {"id": name, "shortDescription": {"text": title}, "defaultConfiguration": {"level": level}}


def _result(problem: Problem, fingerprint: str, rule_index: int, folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": problem.rule,
        "ruleIndex": rule_index,
        "level": _LEVELS[problem.severity],
        "message": {"text": sentence(problem)},
        "locations": [{"physicalLocation": _location(problem.span, folder)}],
        "partialFingerprints": {"dcePlayProblem/v1": fingerprint},
    }
    if problem.related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": note}, "physicalLocation": _location(place, folder)}
            for number, (note, place) in enumerate(problem.related, start=1)
        ]
    if problem.replacement is not None:
        result["fixes"] = [_fix(problem, problem.replacement, folder)]
    return result


def _fix(problem: Problem, text: str, folder: Path) -> dict[str, Any]:
    place = _location(problem.span, folder)
    replacement = {"deletedRegion": place["region"], "insertedContent": {"text": text}}
    return {
        "description": {"text": problem.hint or f"write {text}"},
        "artifactChanges": [{"artifactLocation": place["artifactLocation"], "replacements": [replacement]}],
    }


def _location(span: Span, folder: Path) -> dict[str, Any]:
    below = span.path.is_relative_to(folder)
    uri = quote(shown_path(span.path, folder)) if below else span.path.as_uri()
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"artifactLocation": {"uri": uri}, "region": region}
