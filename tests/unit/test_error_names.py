"""An error's class name is its kind in events and JSON: each names one thing."""

import ast
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "dce_play"
NOT_YET = {"NoToken", "NobodyToAsk"}
"""Of the shipping side, which has its own; their texts tell them apart."""


@pytest.mark.contract("F-W")
def test_no_two_errors_of_ours_have_one_name() -> None:
    names: Counter[str] = Counter()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and {"DcePlayError", "UsageError"} & {ast.unparse(b) for b in node.bases}:
                names[node.name] += 1
    assert {name for name, count in names.items() if count > 1} <= NOT_YET
