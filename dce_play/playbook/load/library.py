"""Finds, reads, checks and parses playbook and role files, each once."""

import hashlib
import json
from dataclasses import dataclass, field
from dataclasses import replace as with_changes
from pathlib import Path

from dce_play.playbook.document.cache import Cache
from dce_play.playbook.document.document import Reading, pack_reading, read_bytes, read_document, unpack_reading
from dce_play.playbook.language.correction import corrected
from dce_play.playbook.language.model import CallKind, Include, Playbook
from dce_play.playbook.language.parse import parse
from dce_play.playbook.language.structure import check
from dce_play.playbook.load.schema import Steps, playbook_schema, role_schema
from dce_play.playbook.types.shapes import signature
from dce_play.resources import playbooks_folder, roles_folder, schemas_folder
from dce_play.source import Document, Problem, Severity, did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, as far as it could be read."""

    playbook: Playbook
    document: Document
    sha256: str
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class Library:
    """Every file that one plan or one lint looks at. Holds the step table."""

    steps: Steps
    shipped: bool = False
    """Whether the steps are exactly ours: then the shipped schemas describe them, and none is imported for that."""
    cache: Cache | None = None
    entries: dict[Path, Entry] = field(default_factory=dict)
    contents: dict[Path, bytes] = field(default_factory=dict)
    """What files hold that were read already, or that an editor has not written yet."""
    sealed: bool = False
    """Whether there are no other files than those of ``contents``."""
    shelves: tuple[Path, Path] = field(default_factory=lambda: (playbooks_folder(), roles_folder()))
    """The folders of shipped playbooks and roles."""
    broken: dict[str, str] = field(default_factory=dict)
    """Steps that cannot be described, and why: their uses are problems, the rest is still looked at."""
    _schemas: dict[CallKind, dict[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.shipped:
            return
        for name, step in self.steps.items():
            try:
                signature(step)
            except (TypeError, NameError, AttributeError) as error:
                self.broken[name] = str(error)

    def load(self, path: Path, kind: CallKind) -> Entry:
        """Return the file, read once.

        Raises: UsageError, when it cannot be opened.
        """
        path = path.absolute()
        if path not in self.entries:
            self.entries[path] = self._entry(self._reading(path, kind), kind)
        return self.entries[path]

    def _reading(self, path: Path, kind: CallKind) -> Reading:
        """Return the file, checked against its schema, from the cache if it can be."""
        data = self.contents[path] if path in self.contents else read_bytes(path)
        key = f"{kind}\n{path}\n{hashlib.sha256(data).hexdigest()}"
        if self.cache is not None:
            remembered = unpack_reading(path, data, self.cache.get("document", key))
            if remembered is not None:
                return remembered
        reading = read_document(path, data)
        checked = with_changes(reading, problems=(*reading.problems, *check(reading, self._schema(kind))))
        if self.cache is not None:
            self.cache.put("document", key, pack_reading(checked))
        return checked

    def _entry(self, reading: Reading, kind: CallKind) -> Entry:
        parsed = parse(corrected(reading, kind, self.steps), kind)
        problems = [*reading.problems, *parsed.problems]
        return Entry(
            playbook=parsed.playbook, document=reading.document, sha256=reading.sha256, problems=one_each(problems)
        )

    def _schema(self, kind: CallKind) -> dict[str, object]:
        if kind not in self._schemas:
            self._schemas[kind] = self._shipped_schema(kind) if self.shipped else self._made_schema(kind)
        return self._schemas[kind]

    def _made_schema(self, kind: CallKind) -> dict[str, object]:
        make = role_schema if kind is CallKind.ROLE else playbook_schema
        return make(self.steps, broken=self.broken.keys())

    def _shipped_schema(self, kind: CallKind) -> dict[str, object]:
        schema: dict[str, object] = json.loads((schemas_folder() / f"{kind}.schema.json").read_bytes())
        return schema

    def find(self, include: Include, folder: Path) -> Path | Problem:
        """Return the file that a role or playbook key means, seen from a file in ``folder``."""
        if include.kind is CallKind.PLAYBOOK:
            candidates = [folder / include.target, self.shelves[0] / include.target]
            there = {path.name for shelf in (folder, self.shelves[0]) for path in shelf.glob("*.yml")}
        else:
            shelves = [folder / "roles", folder.parent / "roles", folder.parent, self.shelves[1]]
            candidates = [shelf / include.target / "role.yml" for shelf in shelves]
            there = {path.parent.name for shelf in shelves for path in shelf.glob("*/role.yml")}
        found = next((path for path in candidates if self._is_there(path)), None)
        if found is not None:
            return found.resolve()
        message = f'no {include.kind} "{include.target}"'
        return Problem(rule="E110", message=message, span=include.target_span, hint=did_you_mean(include.target, there))

    def _is_there(self, path: Path) -> bool:
        return path.resolve() in self.contents if self.sealed else path.is_file()


def one_each(problems: list[Problem]) -> tuple[Problem, ...]:
    """Return the problems in the order of their places, without warnings about a place that has an error already."""
    wrong = {problem.span for problem in problems if problem.severity is Severity.ERROR}
    kept = [problem for problem in problems if problem.severity is Severity.ERROR or problem.span not in wrong]
    return tuple(sorted(dict.fromkeys(kept), key=lambda problem: (problem.span, problem.rule)))
