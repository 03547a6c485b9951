"""Lint: everything that can be said of playbooks, roles, targets files and schemas without running anything.

``Linter`` takes files and folders. What was found out about a file before comes from the cache, as long as the
file, whatever it includes, and we ourselves are unchanged; ``inspect`` is called for the others only, so that a
second lint imports neither YAML, JSON Schema, Jinja nor any step.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dce_play.errors import DcePlayError, ExitCode, UsageError
from dce_play.playbook.document.cache import Cache, pack_problem, unpack_problem
from dce_play.source import JsonValue, Problem, Severity

SUFFIXES = frozenset({".yml", ".yaml"})
TARGETS_NAMES = frozenset({"scrape-targets.yml", "scrape-targets.yaml", "scrape-targets.json"})


class NothingToLint(DcePlayError):
    """A path does not exist, or nothing below it can be linted."""

    exit_code = ExitCode.NOTHING_SELECTED


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

    def count(self, severity: Severity) -> int:
        """Return how many problems are this bad."""
        return sum(problem.severity is severity for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Linter:
    """Lints files one by one."""

    inspect: Callable[[Path, bytes], Inspection]
    """Looks at one file; ``lint_file.inspect_file`` with the steps there are."""
    cache: Cache | None = None

    def lint(self, paths: Iterable[Path]) -> LintResult:
        """Return all problems of the files, and of those below the folders.

        Raises: NothingToLint, when a path does not exist or has nothing to lint.
        """
        files = tuple(dict.fromkeys(file for path in paths for file in files_below(path)))
        problems = [problem for file in files for problem in self._file(file)]
        return LintResult(files=files, problems=tuple(dict.fromkeys(problems)))

    def _file(self, path: Path) -> Iterable[Problem]:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        key = f"{path}\n{hashlib.sha256(data).hexdigest()}"
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


def files_below(path: Path) -> Iterator[Path]:
    """Yield the files that lint looks at: the path itself, or those below the folder.

    Raises: NothingToLint.
    """
    path = path.absolute()
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise NothingToLint(f"no file or folder {path}")
    found = [file for file in sorted(path.rglob("*")) if file.is_file() and _is_ours(file.relative_to(path))]
    if not found:
        hint = "lint reads .yml, .yaml, scrape-targets.json and .schema.json"
        raise NothingToLint(f"nothing to lint in {path}", hint=hint)
    yield from found


def _is_ours(path: Path) -> bool:
    if any(part.startswith(".") for part in path.parts):
        return False
    return path.suffix in SUFFIXES or path.name in TARGETS_NAMES or path.name.endswith(".schema.json")
