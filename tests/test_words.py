"""The words of docs/glossary.md: the names it gives are in the code; those it replaces are in no code and no page."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
GLOSSARY = TOP / "docs" / "glossary.md"
MODULES = sorted((TOP / "dce_play").rglob("*.py"))
PAGES = sorted(path for path in (TOP / "docs").rglob("*.md") if path != GLOSSARY)
_CODE = re.compile(r"`([A-Za-z_]\w*)`")


def _rows() -> Iterator[tuple[list[str], list[str]]]:
    """Yield, for each row of the code's table, the names that are right and those that they replace."""
    table = GLOSSARY.read_text(encoding="utf-8").split("## Names in the code")[1]
    for line in table.splitlines():
        cells = line.strip().strip("|").split("|")
        if len(cells) == 3 and "`" in cells[2]:
            yield _CODE.findall(cells[0]), _CODE.findall(cells[2])


@cache
def _names(path: Path) -> frozenset[str]:
    """Return every name that a module defines, imports, reads or passes, and its own."""
    found = {path.stem}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for field in ("id", "name", "attr", "arg", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                found.add(value.rpartition(".")[2])
    return frozenset(found)


REPLACED = frozenset(name for _, wrong in _rows() for name in wrong)


def test_the_table_has_rows() -> None:
    assert len(REPLACED) > 15


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TOP)))
def test_no_module_has_a_name_that_the_glossary_replaced(path: Path) -> None:
    assert not _names(path) & REPLACED


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(TOP)))
def test_no_page_has_one(path: Path) -> None:
    assert not set(_CODE.findall(path.read_text(encoding="utf-8"))) & REPLACED


def test_the_names_that_the_glossary_gives_are_in_the_code() -> None:
    everywhere = frozenset[str]().union(*(_names(path) for path in MODULES))
    given = {name for right, _ in _rows() for name in right}
    assert not given - everywhere
