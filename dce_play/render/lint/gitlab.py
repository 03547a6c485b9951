"""Findings as GitLab's Code Quality report, which is Code Climate's form in one list.

Source: GitLab's documentation, "Code Quality report format".
"""

import json
from collections.abc import Iterable
from pathlib import Path

from dce_play.render.lint.places import sentence, shown_path, with_fingerprints
from dce_play.source import Problem, Severity

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def as_gitlab(problems: Iterable[Problem], folder: Path) -> str:
    """Return the report; GitLab reads it as the artifact ``reports: codequality``."""
    rows = [
        {
            "type": "issue",
            "check_name": problem.rule,
            "description": sentence(problem),
            "categories": ["Style" if problem.severity is Severity.INFO else "Bug Risk"],
            "severity": _SEVERITIES[problem.severity],
            "fingerprint": fingerprint,
            "location": {
                "path": shown_path(problem.span.path, folder),
                "lines": {"begin": problem.span.line, "end": problem.span.end_line},
            },
        }
        for problem, fingerprint in with_fingerprints(problems, folder)
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2) + "\n"
