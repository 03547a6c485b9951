"""An error's class name is its kind in events and JSON: each names one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "dce_play"


def classes() -> dict[str, list[tuple[str, frozenset[str]]]]:
    """Return where each class name of ours is defined, and over what it is built."""
    found: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases = frozenset(ast.unparse(base).rpartition(".")[2] for base in node.bases)
                found[node.name].append((f"{path.relative_to(PACKAGE)}:{node.lineno}", bases))
    return found


@pytest.mark.contract("F-W")
def test_no_two_errors_of_ours_have_one_name() -> None:
    found = classes()
    errors = {"DcePlayError"}
    while more := {
        name for name, places in found.items() if any(bases & errors for _, bases in places) and name not in errors
    }:
        errors |= more
    assert len(errors) > 150, "the classes were not found"
    assert {name: places for name in errors if len(places := [place for place, _ in found[name]]) > 1} == {}
