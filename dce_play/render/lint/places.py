"""What every form of lint's findings needs: a path as others write it, and a digest that survives moved lines."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from dce_play.source import Problem
from dce_play.system.foreign_text import clean, visible


def shown_path(path: Path, folder: Path) -> str:
    """Return the path with ``/``, relative to the folder where it lies below it, else absolute."""
    return visible((path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix())


def sentence(problem: Problem) -> str:
    """Return message and hint as one line, without characters that do something to whoever shows them."""
    return clean(f"{problem.message}: {problem.hint}" if problem.hint else problem.message).replace("\n", " ")


def with_fingerprints(problems: Iterable[Problem], folder: Path) -> Iterator[tuple[Problem, str]]:
    """Yield each problem with a sha256 of its rule, file and message; equal ones are told apart by their order.

    The line is not in it: a build server knows the problem again when lines were put in above.
    """
    seen: Counter[str] = Counter()
    for problem in problems:
        what = f"{problem.rule}\n{shown_path(problem.span.path, folder)}\n{problem.message}"
        seen[what] += 1
        yield problem, hashlib.sha256(f"{what}\n{seen[what]}".encode()).hexdigest()
