"""Lint: everything that can be said of playbooks, roles, targets files and schemas without running anything.

``Linter`` takes files and folders. What was found out about a file before comes from the cache, as long as the
file, whatever it includes, and we ourselves are unchanged; ``inspect`` is called for the others only, so that a
second lint imports neither YAML, JSON Schema, Jinja nor any step.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dce_play.errors import UsageError
from dce_play.playbook.document.cache import Cache, pack_problem, unpack_problem
from dce_play.playbook.lint.files import files_of
from dce_play.source import JsonValue, Problem, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What looking at one file gave."""

    problems: tuple[Problem, ...]
    files: Mapping[Path, str]
    """Every file that the problems depend on, with its sha256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintResult:
    """What lint found."""

    files: tuple[Path, ...]
    problems: tuple[Problem, ...]
    left_out: int = 0
    """How many YAML files of the folders are somebody else's, and were not looked at."""

    def count(self, severity: Severity) -> int:
        """Return how many problems are this bad."""
        return sum(problem.severity is severity for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Linter:
    """Lints files one by one."""

    inspect: Callable[[Path, bytes], Inspection]
    """Looks at one file; ``lint_file.inspect_file`` with the steps there are."""
    cache: Cache | None = None
    beside: str = ""
    """The name of a file that the findings depend on besides; when it comes or goes, nothing remembered counts."""

    def lint(self, paths: Iterable[Path]) -> LintResult:
        """Return all problems of the files, and of what is ours below the folders.

        Raises: NothingToLint, when a path does not exist or has nothing to lint.
        """
        found = [files_of(path) for path in paths]
        files = tuple(dict.fromkeys(file for each in found for file in each.files))
        problems = [problem for file in files for problem in self._file(file)]
        left_out = sum(each.left_out for each in found)
        return LintResult(files=files, problems=tuple(dict.fromkeys(problems)), left_out=left_out)

    def _file(self, path: Path) -> Iterable[Problem]:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        key = f"{path}\n{self.beside}\n{hashlib.sha256(data).hexdigest()}"
        remembered = _remembered(self.cache.get("lint", key)) if self.cache else None
        if remembered is not None:
            return remembered
        found = self.inspect(path, data)
        if self.cache:
            known: dict[str, JsonValue] = {str(file): digest for file, digest in found.files.items() if file != path}
            self.cache.put("lint", key, {"files": known, "problems": [pack_problem(each) for each in found.problems]})
        return found.problems


def _remembered(entry: JsonValue) -> list[Problem] | None:
    """Return the problems of a cache entry when all that they depend on is as it was."""
    try:
        if not isinstance(entry, dict) or not isinstance(entry["files"], dict):
            return None
        for name, digest in entry["files"].items():
            if hashlib.sha256(Path(name).read_bytes()).hexdigest() != digest:
                return None
        packed = entry["problems"]
        return [unpack_problem(each) for each in packed] if isinstance(packed, list) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
