"""The rules of CONTRIBUTING.md that have a number or a name, over every file of the project."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
MODULES = sorted((TOP / "dce_play").rglob("*.py"))
LONGEST_MODULE = 320
LONGEST_FUNCTION = 60
_HOSTS = ("pypi" + ".org", "python" + "hosted", "npm" + "js", "deb." + "debian", "docker" + ".io", "ghcr" + ".io")
_MARKS = ("TO" + "DO", "FIX" + "ME", "TYPE_" + "CHECKING:", "shell" + "=True")


def name(path: Path) -> str:
    return str(path.relative_to(TOP))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_short_and_says_what_it_does(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module begins with a docstring"
    assert len(text.splitlines()) <= LONGEST_MODULE
    for function in functions(path):
        assert (function.end_lineno or 0) - function.lineno < LONGEST_FUNCTION, function.name


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=name)
def test_a_packages_own_file_is_a_docstring(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    if path.parent.name not in {"dce_play", "steps"}:
        assert len(body) == 1


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_plasters_over_cycles_no_marks_no_shell(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not [mark for mark in _MARKS if mark in text]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_errors_are_not_swallowed_and_not_printed(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"a bare except at line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert path.parts[-2] in {"cli", "render", "simulator"}


def test_every_lock_of_a_file_is_taken_in_one_place() -> None:
    found = {name(path) for path in MODULES if re.search(r"\bfcntl\.(flock|lockf)\(", path.read_text(encoding="utf-8"))}
    assert found == {"dce_play/system/lock/file_lock.py"}


def test_nothing_committed_names_registries_machines_or_private_folders() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    bad = re.compile("|".join([*map(re.escape, _HOSTS), "/wo" + "rk/", r"\.\./sha" + "red", "/tmp/" + "bash"]))
    for raw in listed.stdout.decode().split("\0"):
        path = TOP / raw
        if raw and path.is_file() and path.suffix not in {".json", ".jsonl", ".png", ".tsv"}:
            found = bad.search(path.read_text(encoding="utf-8", errors="replace"))
            assert found is None, raw


def test_contributing_says_the_limits_that_are_held() -> None:
    text = (TOP / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"no module has more than {LONGEST_MODULE} lines" in text
    assert f"no function more than {LONGEST_FUNCTION}" in text
    assert f"no folder more than {MOST_MODULES} modules" in text


FOLDERS = sorted({path.parent for path in MODULES})
MOST_MODULES = 20


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_a_folder_has_few_modules(folder: Path) -> None:
    assert sum(1 for path in folder.glob("*.py") if path.name != "__init__.py") <= MOST_MODULES


DECISIONS = sorted((TOP / "docs" / "decisions").glob("[0-9]*.md"))
_HEADING = re.compile(r"# (\d{4}) · \S.*\n\nStatus: (accepted|superseded by \d{4}|withdrawn)\n\n\S")


@pytest.mark.parametrize("path", DECISIONS, ids=name)
def test_a_decision_has_its_number_a_title_and_a_status(path: Path) -> None:
    heading = _HEADING.match(path.read_text(encoding="utf-8"))
    assert heading is not None
    assert path.name.startswith(f"{heading[1]}-")


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(numbers) == len(set(numbers))
