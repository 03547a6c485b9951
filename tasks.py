"""What developers type: `inv check`, `inv test`, `inv bench`, `inv docs`. `inv --list` names them all.

The tasks run the tools of the environment that `inv` itself belongs to, so `.venv/bin/inv test` needs no activation.
"""

import os
import shlex
import signal
import sys
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from tools.mutate import prepare

TOP = Path(__file__).parent
BIN = Path(sys.executable).parent
VARIABLES = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}
"""What is compiled is kept, whatever the shell says: the tests start Python by the thousand."""


def _run(c: Context, *words: str, folder: Path = TOP) -> None:
    """Run a tool of this environment, in the project's folder unless told; its exit code becomes ours."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    program, *rest = words
    with c.cd(str(folder)):
        c.run(shlex.join([str(BIN / program), *rest]), pty=False, in_stream=False, env=VARIABLES)


@task(
    name="test",
    help={
        "slow": "run the slow job instead: what takes minutes (kills by the hundred, big files, real clusters)",
        "jobs": "processes to share the tests between; two a core, because half of the time a test waits",
        "only": "an expression as pytest's -k takes it",
        "path": "a file or folder of tests",
    },
)
def run_tests(
    c: Context, *, slow: bool = False, jobs: int = 2 * (os.cpu_count() or 1), only: str = "", path: str = "tests"
) -> None:
    """Run the tests. Example: inv test --path tests/unit/discord --only append"""
    words = ["-q", "-n", str(jobs), "--dist", "worksteal"]
    if slow:
        words += ["-m", "soak", "--timeout", "3600"]
    if only:
        words += ["-k", only]
    _run(c, "pytest", *words, path)


@task
def lint(c: Context) -> None:
    """Check the layout of the code and the rules that ruff knows."""
    _run(c, "ruff", "format", "--check", ".")
    _run(c, "ruff", "check", ".")


@task
def types(c: Context) -> None:
    """Check all types, strictly."""
    _run(c, "mypy")


@task
def contracts(c: Context) -> None:
    """Check who imports whom: the layers, no circles, cores that stay cores."""
    _run(c, "lint-imports")


@task(lint, types, contracts)
def check(_c: Context) -> None:
    """Run every check but the tests."""


@task(name="format")
def format_code(c: Context) -> None:
    """Bring the code into its layout, and mend what ruff can mend."""
    _run(c, "ruff", "check", "--fix", ".")
    _run(c, "ruff", "format", ".")


@task
def schemas(c: Context) -> None:
    """Write the generated JSON Schemas anew."""
    _run(c, "dce-play", "schema", "--write", "schemas")


@task(help={"name": "a file below benchmarks/ without bench_ and .py; all of them without it"})
def bench(c: Context, name: str = "") -> None:
    """Run the benchmarks, each against its peers in the same run, and hold them to their budgets.

    Example: inv bench --name startup
    """
    found = sorted((TOP / "benchmarks").rglob(f"bench_{name or '*'}.py"))
    if not found:
        raise SystemExit(f"no benchmark {name}; there are: {', '.join(_names())}")
    for path in found:
        _run(c, "python", "-m", ".".join(path.relative_to(TOP).with_suffix("").parts))


def _names() -> list[str]:
    return sorted(path.stem.removeprefix("bench_") for path in (TOP / "benchmarks").rglob("bench_*.py"))


@task(
    help={
        "package": "the core to mutate, as a folder or a module",
        "tests": "the tests that must notice, with spaces between; without it those that mirror the package",
    }
)
def mutate(c: Context, package: str = "dce_play/system/durable", tests: str = "") -> None:
    """Change the code a little at a time, and list the changes that no test noticed.

    Example: inv mutate --package dce_play/system/durable/names
    """
    folder = prepare(package, tests.split())
    _run(c, "mutmut", "run", "--max-children", "2", folder=folder)
    _run(c, "mutmut", "results", folder=folder)


@task
def coverage(c: Context) -> None:
    """Run the unit tests and tell which lines of the cores they never reach."""
    _run(c, "pytest", "-q", "-n", "2", "--cov", "dce_play", "--cov-report", "term-missing:skip-covered", "tests/unit")


@task
def docs(c: Context) -> None:
    """Build the docs site into build/site, strictly, and the manual pages into build/man."""
    _run(c, "mkdocs", "build", "--strict", "--quiet")
    _run(c, "python", "-m", "tools.man_pages", "build/man")


@task(help={"python": "one version, such as 3.13; without it all that the package is for", "path": "what to test"})
def matrix(c: Context, python: str = "", path: str = "tests/unit") -> None:
    """Run the unit tests under each Python. Example: inv matrix --python 3.13 --path tests/unit/playbook"""
    _run(c, "nox", *(["-s", f"unit-{python}"] if python else []), "--", path)


@task(help={"version": "the version to release; without it the text is only shown"})
def changelog(c: Context, version: str = "") -> None:
    """Fold the fragments of changelog.d into CHANGELOG.md. Example: inv changelog --version 0.2.0"""
    words = ["--version", version, "--yes"] if version else ["--version", "next", "--draft"]
    _run(c, "towncrier", "build", "--name", "dce-play", *words)
