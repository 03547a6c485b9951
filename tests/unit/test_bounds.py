"""docs/reference/bounds.md says what is enforced, and every bound has a test that meets it."""

import re
from pathlib import Path

import pytest

from dce_play import bounds
from dce_play.bounds import BOUNDS, page

ROOT = Path(__file__).parents[2]
_CONSTANT = re.compile(r"^((?:MAX|LONGEST)_[A-Z_]+) ?(?::[^=]+)?= ", re.MULTILINE)


def test_the_page_is_the_one_that_we_make() -> None:
    written = (ROOT / "docs" / "reference" / "bounds.md").read_text(encoding="utf-8")
    assert written == page(), "write it anew: python -m dce_play.bounds > docs/reference/bounds.md"


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: str(bound.place))
def test_a_bound_is_a_number_and_its_test_is_there(bound: bounds.Bound) -> None:
    assert bound.amount > 0
    file, _, name = bound.test.partition("::")
    assert f"def {name}(" in (ROOT / "tests" / "unit" / file).read_text(encoding="utf-8")


def test_every_bound_of_documents_plans_and_expressions_is_on_the_page() -> None:
    listed = {bound.place for bound in BOUNDS}
    for path in sorted((ROOT / "dce_play" / "playbook").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "dce_play").with_suffix("").parts)
        for name in _CONSTANT.findall(path.read_text(encoding="utf-8")):
            assert f"{module}:{name}" in listed
