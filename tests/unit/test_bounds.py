"""docs/reference/bounds.md says what is enforced, and lists every bound that there is in the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce_play.bounds import Bound, all_bounds, page

ROOT = Path(__file__).parents[2]
_NAME_OF_A_BOUND = re.compile(
    r"(?:^|_)(?:MAX|LONGEST|LARGEST|MOST|DEEPEST|FURTHEST|LIMIT|TIMEOUT|PATIENCE|DEPTH|TRIES|RETRIES|ROUNDS|DOUBTS"
    r"|WAIT|SILENCE|CONNECT|GRACE|LINGER|REDIRECTS|LINKS|LOOKS|DISCARD)(?:_|$)"
)
BOUNDS = all_bounds()


def test_the_page_is_the_one_that_we_make() -> None:
    written = (ROOT / "docs" / "reference" / "bounds.md").read_text(encoding="utf-8")
    assert written == page(), "write it anew: python -m dce_play.bounds > docs/reference/bounds.md"


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: str(bound.place))
def test_a_bound_is_a_number_and_its_test_is_there(bound: Bound) -> None:
    assert bound.amount > 0
    file, _, name = bound.test.partition("::")
    assert name.startswith("test_"), f"name the test that meets {bound.place} in the fourth column of bounds.tsv"
    assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


def constants() -> Iterator[tuple[str, str]]:
    """Yield the place and the expression of every number in the code that has the name of a bound."""
    for path in sorted((ROOT / "dce_play").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "dce_play").with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            if isinstance(target, ast.Name) and _NAME_OF_A_BOUND.search(target.id) and _is_number(value):
                yield f"{module}:{target.id}", ast.unparse(node)


def _is_number(value: ast.AST | None) -> bool:
    match value:
        case ast.Constant(value=int() | float()):
            return True
        case ast.BinOp(left=left):
            return _is_number(left) or isinstance(left, ast.Name)
        case _:
            return False


def test_every_bound_in_the_code_is_on_the_page() -> None:
    found = dict(constants())
    assert len(found) > 140
    assert {place: line for place, line in found.items() if place not in {bound.place for bound in BOUNDS}} == {}
