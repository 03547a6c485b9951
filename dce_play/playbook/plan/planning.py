"""From a playbook file to a ``Plan``: roles and playbooks expanded in place, steps bound, ids and hashes given."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as with_changes
from pathlib import Path

from dce_play.playbook.check.contents import names_read
from dce_play.playbook.check.effects import effects
from dce_play.playbook.check.fan_out import fan_out
from dce_play.playbook.check.names import BUILT_IN_NAMES
from dce_play.playbook.check.type_check import TypeCheck
from dce_play.playbook.document.cache import Cache
from dce_play.playbook.language.model import (
    Block,
    CallKind,
    Include,
    Keywords,
    Literal,
    Lock,
    Playbook,
    Statement,
    StepCall,
    Text,
)
from dce_play.playbook.load.library import Entry, Library, one_each
from dce_play.playbook.load.schema import Steps
from dce_play.playbook.plan.digest import digest
from dce_play.playbook.plan.plan import Plan, PlannedBlock, PlannedCall, PlannedNode, PlannedStep, all_steps
from dce_play.plugin import Effects
from dce_play.source import InvalidDocument, Problem, Severity, Span

MAX_NODES = 20_000
"""Steps, blocks and included files of one plan, each counted as often as it is included."""
MAX_INCLUDES = 50
"""Files that include each other in a row."""
MAX_LEVELS = 60
"""Blocks and included files inside each other."""


def make_plan(
    path: Path,
    steps: Steps,
    *,
    shipped: bool = False,
    cache: Cache | None = None,
    contents: Mapping[Path, bytes] | None = None,
    shelves: tuple[Path, Path] | None = None,
) -> Plan:
    """Return the plan of a playbook file. With a cache, a file read before is not parsed and checked again.

    With ``contents`` no other files are there than these, and ``shelves`` are the folders of shipped playbooks and
    roles where they come from.

    ``shipped`` says that the steps are exactly ours, see ``Library``.

    Raises: InvalidDocument, with every problem of every file that takes part; UsageError, when one cannot be opened.
    """
    library = Library(steps, shipped=shipped, cache=cache, sealed=contents is not None)
    library.contents.update(contents or {})
    library.shelves = shelves or library.shelves
    return plan_from(library, path)


def plan_from(library: Library, path: Path) -> Plan:
    """Return the plan of a playbook file; what the library has read already is not read again.

    Raises: InvalidDocument, with every problem of every file that was read; UsageError, when one cannot be opened.
    """
    plan, problems = plan_or_problems(path, library)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise InvalidDocument(errors, texts(library))
    return plan


def texts(library: Library) -> dict[Path, str]:
    """Return the text of every file that was read."""
    return {path: entry.document.text for path, entry in library.entries.items()}


def plan_or_problems(path: Path, library: Library, *, kind: CallKind = CallKind.PLAYBOOK) -> tuple[Plan, list[Problem]]:
    """Return the plan of what is sound, and all problems, warnings included."""
    entry = library.load(path, kind)
    planner = _Planner(library)
    plan = planner.plan(entry)
    problems = [problem for each in library.entries.values() for problem in each.problems]
    problems += planner.problems
    if planner.over:  # what cannot be planned is not checked either: the checks go down the same includes
        return plan, list(one_each(problems))
    checks = TypeCheck(library)
    for each in list(library.entries.values()):
        problems += checks.of(each.playbook).problems
        problems += effects(each.playbook, library)
        problems += fan_out(each.playbook, library)
    return plan, list(one_each(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the planner is: in which file, reached how, under which tags."""

    playbook: Playbook
    stack: tuple[Path, ...]
    tags: tuple[str, ...] = ()
    depth: int = 0
    entrance: Span | None = None
    """The include of the planned file itself that leads here."""

    def with_tags(self, keywords: Keywords) -> Keywords:
        """Return the keywords with the tags of whatever called this file."""
        return with_changes(keywords, tags=tuple(sorted({*self.tags, *keywords.tags}))) if self.tags else keywords


@dataclass(slots=True)
class _Planner:
    """Expands one playbook."""

    library: Library
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0
    over: bool = False
    """Whether a bound was met: the plan is not whole, and there is a problem that says so."""

    def plan(self, entry: Entry) -> Plan:
        playbook = entry.playbook
        place = _Place(playbook=playbook, stack=(playbook.path,))
        preflight = self._sequence(playbook.preflight, "", place)
        steps = self._sequence(playbook.steps, "", place)
        plan = Plan(
            path=playbook.path,
            name=playbook.name,
            summary=playbook.summary,
            params=playbook.params,
            vars=playbook.vars,
            preflight=preflight,
            steps=steps,
            outputs=playbook.outputs,
        )
        effects = frozenset(step.plugin.EFFECTS for step in all_steps(plan))
        playbooks = [each.playbook for each in self.library.entries.values()]
        return with_changes(
            plan,
            lock=Lock.ARCHIVE if Effects.ARCHIVE in effects or playbook.lock is Lock.ARCHIVE else Lock.NONE,
            always_locks=playbook.lock is Lock.ARCHIVE,
            effects=effects,
            names=BUILT_IN_NAMES & frozenset().union(*map(names_read, playbooks)),
            definition=digest([playbook.vars, [node.definition for node in preflight + steps]]),
            files={path: each.sha256 for path, each in self.library.entries.items()},
            texts=texts(self.library),
        )

    def _sequence(
        self, statements: Iterable[Statement], parent: str, place: "_Place", keys: "_Keys | None" = None
    ) -> tuple[PlannedNode, ...]:
        given = keys if keys is not None else _Keys()
        nodes = (self._node(statement, parent, given, place) for statement in statements)
        return tuple(node for node in nodes if node is not None)

    def _node(self, statement: Statement, parent: str, keys: "_Keys", place: "_Place") -> PlannedNode | None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._too_much(f"the plan has more than {MAX_NODES} steps and blocks", statement.span, place)
            return None
        if place.depth > MAX_LEVELS:
            self._too_much(f"blocks and files stand more than {MAX_LEVELS} deep in each other", statement.span, place)
            return None
        key = keys.unique(_base_key(statement))
        own_id = f"{parent}/{key}" if parent else key
        match statement:
            case StepCall():
                plugin = self.library.steps.get(statement.step)
                if plugin is None or statement.step in self.library.broken:
                    return None
                return PlannedStep(
                    key=key,
                    id=own_id,
                    step=statement.step,
                    plugin=plugin,
                    params=statement.params,
                    keywords=place.with_tags(statement.keywords),
                    span=statement.span,
                    folder=place.playbook.path.parent,
                    definition=digest([statement.step, statement.params, statement.keywords]),
                )
            case Block():
                inner, deeper = _Keys(), with_changes(place, depth=place.depth + 1)
                parts = [
                    self._sequence(part, own_id, deeper, inner)
                    for part in (statement.body, statement.rescue, statement.always)
                ]
                written = [statement.keywords, *([node.definition for node in part] for part in parts)]
                return PlannedBlock(
                    key=key,
                    id=own_id,
                    keywords=place.with_tags(statement.keywords),
                    body=parts[0],
                    rescue=parts[1],
                    always=parts[2],
                    span=statement.span,
                    definition=digest(written),
                )
            case Include():
                return self._call(statement, key, own_id, place)

    def _too_much(self, message: str, span: Span, place: "_Place") -> None:
        """Note, once, that the plan is over a bound; nothing is added to it from here on.

        It is told of the planned file, so that linting that one tells it too, and where the bound was met.
        """
        if not self.over:
            met = (("met here", span),) if place.entrance is not None else ()
            at, hint = place.entrance or span, "loop over a list instead"
            self.problems.append(Problem(rule="E110", message=message, span=at, hint=hint, related=met))
        self.over = True

    def _call(self, include: Include, key: str, own_id: str, place: "_Place") -> PlannedCall | None:
        found = self.library.find(include, place.playbook.path.parent)
        if isinstance(found, Problem):
            self.problems.append(found)
            return None
        if found in place.stack:
            chain = " → ".join(
                path.name if path.name != "role.yml" else path.parent.name for path in (*place.stack, found)
            )
            message = f"this runs itself: {chain}"
            self.problems.append(Problem(rule="E110", message=message, span=include.target_span))
            return None
        if len(place.stack) > MAX_INCLUDES:
            self._too_much(f"more than {MAX_INCLUDES} files include each other in a row", include.target_span, place)
            return None
        child = self.library.load(found, include.kind).playbook
        tags = place.with_tags(include.keywords).tags
        entrance = place.entrance or include.target_span
        stack, depth = (*place.stack, found), place.depth + 1
        inside = _Place(playbook=child, stack=stack, tags=tags, depth=depth, entrance=entrance)
        body = self._sequence((*child.preflight, *child.steps), own_id, inside)
        written = [include.keywords, child.vars, child.outputs, [node.definition for node in body]]
        return PlannedCall(
            key=key,
            id=own_id,
            kind=include.kind,
            title=child.name,
            path=found,
            keywords=place.with_tags(include.keywords),
            params=child.params,
            vars=child.vars,
            outputs=child.outputs,
            body=body,
            span=include.span,
            definition=digest(written),
        )


class _Keys:
    """Gives each sibling a key of its own."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def unique(self, base: str) -> str:
        self._given[base] = self._given.get(base, 0) + 1
        return base if self._given[base] == 1 else f"{base}#{self._given[base]}"


def _base_key(statement: Statement) -> str:
    """Return what a statement is called in ids: its name without the expressions, its register, or what it does."""
    name = statement.keywords.name
    fixed = [name.value] if isinstance(name, Literal) else name.parts if isinstance(name, Text) else []
    slug = re.sub(r"[^a-z0-9]+", "-", " ".join(part for part in fixed if isinstance(part, str)).lower()).strip("-")
    if slug:
        return slug
    if statement.keywords.register:
        return statement.keywords.register
    match statement:
        case StepCall():
            return statement.step
        case Block():
            return "block"
        case Include():
            return Path(statement.target).stem
