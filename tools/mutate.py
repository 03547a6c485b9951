"""Prepares a folder in which mutmut changes one core and runs the tests that belong to it: ``inv mutate``.

mutmut takes its settings from files of the folder that it runs in, and leaves there what it found. So each core has a
folder of its own below ``build/mutate``, with links to the code and a ``setup.cfg``, and what is found about one core
stays while the next is looked at.
"""

import shutil
from configparser import ConfigParser
from pathlib import Path

TOP = Path(__file__).parent.parent
LINKED = ("dce_play", "tests", "playbooks", "roles", "schemas", "examples", "benchmarks", "docs", "pyproject.toml")
"""What the code and its tests read of the project."""

OPTIONS = ("-p", "tests.support.mutation", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout", "300")
"""What pytest is told while mutants run."""


class NothingToMutate(SystemExit):
    """There is no such code, or no test is known that belongs to it."""


def prepare(package: str, tests: list[str]) -> Path:
    """Return a folder in which ``mutmut run`` mutates a package or a module of ``dce_play``, and nothing else.

    Without ``tests`` it is held to the tests that mirror it.
    """
    source = package.removesuffix("/").removesuffix(".py")
    if not (TOP / source).is_dir() and not (TOP / f"{source}.py").is_file():
        raise NothingToMutate(f"no code at {source}; an example: dce_play/system/durable")
    folder = TOP / "build" / "mutate" / source.replace("/", ".")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "mutants" / "tests", ignore_errors=True)  # mutmut copies, and never takes away
    for name in LINKED:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(TOP / name)
    settings = ConfigParser()
    settings["mutmut"] = {
        "source_paths": "dce_play",
        "only_mutate": f"{source}/*" if (TOP / source).is_dir() else f"{source}.py",
        "also_copy": _lines([name for name in LINKED if name not in {"dce_play", "tests", "pyproject.toml"}]),
        "pytest_add_cli_args": _lines(OPTIONS),
        "pytest_add_cli_args_test_selection": _lines(tests or [mirrored(source)]),
    }
    with (folder / "setup.cfg").open("w", encoding="utf-8") as file:
        settings.write(file)
    return folder


def mirrored(source: str) -> str:
    """Return the tests of a package or module: the nearest folder below ``tests/unit`` that is called as it is."""
    _top, *names = Path(source).parts
    while names:
        if Path(TOP, "tests", "unit", *names).is_dir():
            return "/".join(("tests", "unit", *names))
        names.pop()
    raise NothingToMutate(f"no folder of tests is called as {source}; name them with --tests")


def _lines(words: list[str] | tuple[str, ...]) -> str:
    return "\n" + "\n".join(words)
