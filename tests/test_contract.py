"""docs/contract.md has every id of the contract, and the tests it names hold that id: they carry its mark."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "contract.md"
LEAST_REASON = 15

REQUIREMENTS = (16, 12, 26, 17, 15, 7, 13, 13, 10, 7, 13, 11, 12, 10, 7, 8, 8, 12, 5)
"""How many requirements each section has, from R-1.* on."""
OTHERS = {"D": 67, "S": 24, "H": 12, "L": 7, "W": 10, "O": 17, "V": 15, "E": 18, "C": 13, "J": 14}
"""How many there are of each letter: defects, then smokes."""
OUTSIDE = {"L": 13, "K": 5, "S": 5, "B": 7, "D": 10, "U": 3}
"""How many kinds of defect were found from outside, by letter; besides them F-X70, F-DRY and F-W have no number."""

SYSTEMS = {"S": 18, "V": 10, "G": 6, "D": 4, "I": 8, "B": 12, "M": 10, "T": 7, "O": 30, "P": 11, "R": 9,
           "C": 7, "K": 9, "L": 5, "E": 9, "N": 14}  # fmt: skip
"""The later systems' ids, written without a hyphen: shipper, receiver, gate, doctor, installers; backup; media;
fan-out (``T1`` is F1 of its contract); the operator's day; PostgreSQL; Redis;
Vault; object stores; Meilisearch; encryption and targets of backups; what must never
happen to a backup."""

_LINE = re.compile(
    r"^\| (?P<id>[A-Z]-[0-9.]+|F-[A-Z]+[0-9]*|[A-Z][0-9]+) \| (?P<text>[^|]+) \| (?P<held>[^|]+) \|$", re.MULTILINE
)
_TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<name>test_\w+)`")
_NOT_HERE = "not here, because "


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the register."""

    identifier: str
    text: str
    held: str


@cache
def lines() -> tuple[Line, ...]:
    found = _LINE.finditer(PAGE.read_text(encoding="utf-8"))
    return tuple(Line(identifier=each["id"], text=each["text"], held=each["held"]) for each in found)


def all_ids() -> Iterator[str]:
    for section, count in enumerate(REQUIREMENTS, start=1):
        yield from (f"R-{section}.{number:02}" for number in range(1, count + 1))
    for letter, count in OTHERS.items():
        yield from (f"{letter}-{number:02}" for number in range(1, count + 1))
    found = frozenset((*outside_ids(), *system_ids()))
    yield from (identifier for identifier in written_ids() if identifier in found)


def outside_ids() -> Iterator[str]:
    """Yield what was found from outside; the page has those that are mended, in any order."""
    for letter, count in OUTSIDE.items():
        yield from (f"F-{letter}{number}" for number in range(1, count + 1))
    yield from ("F-X70", "F-DRY", "F-W")


def system_ids() -> Iterator[str]:
    """Yield the later systems' ids, in any order on the page."""
    for letter, count in SYSTEMS.items():
        yield from (f"{letter}{number}" for number in range(1, count + 1))


@cache
def written_ids() -> tuple[str, ...]:
    """Return the ids that the page has, each once, in its order."""
    return tuple(dict.fromkeys(line.identifier for line in lines()))


Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def functions() -> dict[tuple[str, str], tuple[Function, frozenset[str]]]:
    """Return every test function by file and name, with the ids of its marks, its class's and its module's."""
    found: dict[tuple[str, str], tuple[Function, frozenset[str]]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        of_module = frozenset(marked_ids([node.value for node in module.body if isinstance(node, ast.Assign)]))
        for function, inherited in collected(module.body, of_module):
            key = (path.relative_to(ROOT).as_posix(), function.name)
            found[key] = (function, inherited | frozenset(marked_ids(function.decorator_list)))
    return found


def collected(body: list[ast.stmt], inherited: frozenset[str]) -> Iterator[tuple[Function, frozenset[str]]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from collected(node.body, inherited | frozenset(marked_ids(node.decorator_list)))
        elif isinstance(node, Function) and node.name.startswith("test_"):
            yield node, inherited


def marked_ids(expressions: list[ast.expr]) -> Iterator[str]:
    """Return the ids of every ``pytest.mark.contract(…)`` among the expressions."""
    for expression in expressions:
        for node in ast.walk(expression):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.contract":
                yield from (str(ast.literal_eval(argument)) for argument in node.args)


def test_every_id_has_one_line_in_order() -> None:
    assert [line.identifier for line in lines()] == list(all_ids())


@pytest.mark.contract("R-15.01", "R-19.01")
def test_every_id_is_held_by_the_tests_it_names_or_says_why_not() -> None:
    wrong = [f"{line.identifier}: {problem}" for line in lines() if (problem := problem_of(line))]
    assert wrong == []


def problem_of(line: Line) -> str:
    if line.held.startswith(_NOT_HERE):
        reason = line.held.removeprefix(_NOT_HERE)
        return "" if len(reason) >= LEAST_REASON else "its reason is too short"
    for held in line.held.split("<br>"):
        named = _TEST.fullmatch(held)
        if named is None:
            return f"neither a test nor a reason: {held}"
        known = functions().get((named["file"], named["name"]))
        if known is None:
            return f"no such test: {held}"
        if line.identifier not in known[1]:
            return f"{held} has no mark for it"
    return ""


def test_no_mark_names_an_id_that_is_not_in_the_contract() -> None:
    known = set(all_ids())
    unknown = [(key, sorted(ids - known)) for key, (_, ids) in functions().items() if ids - known]
    assert unknown == []


@pytest.mark.contract("R-15.04")
def test_every_test_that_holds_something_looks_at_what_came_of_it() -> None:
    helpers = {name for path in sorted((ROOT / "tests").rglob("*.py")) for name in checking_helpers(path)}
    silent = {name for (_, name), (function, ids) in functions().items() if ids and not checks(function, helpers)}
    assert silent == NO_ERROR_IS_THE_PROMISE


def checking_helpers(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, Function) and not node.name.startswith("test_") and checks(node, set()):
            yield node.name


def checks(function: Function, helpers: set[str]) -> bool:
    """Return whether a function asserts something: itself, by expecting an error, or by one of these helpers."""
    return any(isinstance(node, ast.Assert) or called(node) in {"raises", *helpers} for node in ast.walk(function))


def called(node: ast.AST) -> str:
    return ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""


NO_ERROR_IS_THE_PROMISE = {"test_halves_of_pairs_never_reach_the_file"}
