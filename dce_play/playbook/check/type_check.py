"""Checks the types of expressions before anything runs: every name is there, every value fits where it goes.

A registered name is there from its step on. Where its step may not have run (it, or a block around it, has a
``when``; or its block may have failed) a reader must stand under the same condition or guard itself with
``is defined`` or ``default``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as with_changes
from pathlib import Path

from dce_play.playbook.check.contents import statements
from dce_play.playbook.check.expression_check import ExpressionCheck, Registration, Scope
from dce_play.playbook.check.names import (
    FAILURE,
    RESERVED_NAMES,
    RESERVED_PARAMS,
    built_in,
    loop_record_shape,
    record_shape,
)
from dce_play.playbook.language.declared import param_shape
from dce_play.playbook.language.model import (
    Block,
    CallKind,
    Expression,
    Include,
    Keywords,
    Literal,
    OnError,
    Playbook,
    Statement,
    StepCall,
    Template,
)
from dce_play.playbook.load.library import Library
from dce_play.playbook.types.assignability import why_not_assignable
from dce_play.playbook.types.shapes import (
    ANY,
    DURATION,
    INT,
    Field,
    Kind,
    Shape,
    Signature,
    describe,
    shape_of,
    signature,
    with_article,
)
from dce_play.source import Problem, Severity, Span, did_you_mean


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What was found in one file."""

    problems: tuple[Problem, ...] = ()
    outputs: Mapping[str, Field] = field(default_factory=dict)
    """What whoever includes the file may register."""


@dataclass(slots=True)
class TypeCheck:
    """Checks files of a library, each once."""

    library: Library
    _done: dict[Path, CheckedFile] = field(default_factory=dict)
    _records: dict[str, Shape] = field(default_factory=dict)
    """What ``register`` keeps of each step, by its name: a playbook uses few, many times."""

    def of(self, playbook: Playbook) -> CheckedFile:
        """Return what was found in a playbook or role."""
        if playbook.path not in self._done:
            self._done[playbook.path] = CheckedFile()  # what a file that includes itself sees of itself
            self._done[playbook.path] = _FileCheck(playbook, self.library, self).check()
        return self._done[playbook.path]

    def record(self, step: str, known: Signature) -> Shape:
        """Return the shape of what ``register`` keeps of a step."""
        if step not in self._records:
            self._records[step] = record_shape(known.outputs)
        return self._records[step]


class _FileCheck:
    """Goes through one file, in the order in which it runs."""

    def __init__(self, playbook: Playbook, library: Library, checks: TypeCheck) -> None:
        self._playbook = playbook
        self._library = library
        self._checks = checks
        every = [*statements((*playbook.preflight, *playbook.steps))]
        self._registered_somewhere = {each.keywords.register: each for each in every if each.keywords.register}
        lines = {name: each.keyword_spans["register"].line for name, each in self._registered_somewhere.items()}
        self._expressions = ExpressionCheck(library.entries[playbook.path].document.text, lines)
        self._blocks = 0

    def check(self) -> CheckedFile:
        playbook = self._playbook
        scope = Scope(names=built_in(playbook))
        for name, spec in playbook.params.items():
            if name in RESERVED_PARAMS and playbook.kind is CallKind.PLAYBOOK:
                message = f'"{name}" is an option of every playbook; choose another name'
                self._expressions.problem("E002", message, spec.span)
        scope.names["vars"] = self._expressions.vars(playbook.vars, scope)
        self._sequence(playbook.preflight, scope)
        self._sequence(playbook.steps, scope)
        outputs = {
            name: Field(name=name, shape=self._expressions.template(template, scope))
            for name, template in playbook.outputs.items()
        }
        self._unused()
        return CheckedFile(tuple(self._expressions.problems), outputs)

    def _unused(self) -> None:
        problems = (*self._library.entries[self._playbook.path].problems, *self._expressions.problems)
        if any(problem.severity is Severity.ERROR for problem in problems):
            return  # a name that is never used may be the one that another was meant to be
        for name, spec in self._playbook.params.items():
            if ("params", name) not in self._expressions.reads and ("params",) not in self._expressions.reads:
                self._expressions.problem("W228", f'the param "{name}" is never used', spec.span)
        read = {path[0] for path in self._expressions.reads}
        for name, statement in self._registered_somewhere.items():
            if name not in read:
                self._expressions.problem(
                    "W228", f'"{name}" is registered and never used', statement.keyword_spans["register"]
                )

    # Statements.

    def _sequence(self, body: Iterable[Statement], scope: Scope) -> None:
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, statement: Statement, scope: Scope) -> None:
        keywords = statement.keywords
        self._expressions.not_yet = keywords.loop_name if keywords.loop is not None else ""
        conditions = self._expressions.conditions(keywords.when, scope)
        self._expressions.not_yet = ""
        inner = scope.inside(holds=conditions)
        if keywords.loop is not None:
            item = self._loop_item(keywords.loop, inner)
            self._check_new_name(keywords.loop_name, inner, statement.keyword_spans.get("as", statement.span))
            inner.names[keywords.loop_name] = item
        if not isinstance(statement, Include):
            inner.names["vars"] = self._expressions.vars(keywords.vars, inner, existing=inner.names["vars"])
        self._keyword_values(keywords, inner)
        match statement:
            case StepCall():
                record = self._step(statement, inner)
            case Block():
                record = ANY
                self._block(statement, inner, scope)
            case Include():
                record = self._include(statement, inner)
        self._results(keywords, inner, record)
        if keywords.loop is not None:
            if "as" in statement.keyword_spans and not any(
                path[0] == keywords.loop_name for path in self._expressions.reads
            ):
                self._expressions.problem(
                    "W228", f'"{keywords.loop_name}" is never used', statement.keyword_spans["as"]
                )
            record = loop_record_shape(record)
        if keywords.register is not None:
            self._check_new_name(keywords.register, scope, statement.keyword_spans["register"])
            scope.registered[keywords.register] = Registration(record, frozenset(scope.holds | conditions))

    def _check_new_name(self, name: str, scope: Scope, span: Span) -> None:
        if name in RESERVED_NAMES or name in scope.names or name in scope.registered:
            self._expressions.problem(
                "E002", f'the name "{name}" is taken', span, hint="nothing shadows; choose another name"
            )

    def _keyword_values(self, keywords: Keywords, scope: Scope) -> None:
        for template in (keywords.name, keywords.confirm, *keywords.environment.values()):
            if template is not None:
                self._expressions.as_text(template, scope)
        for template, wanted in ((keywords.retries, INT), (keywords.delay, DURATION), (keywords.timeout, DURATION)):
            if template is not None and not isinstance(template, Literal):
                self._assignable(template, self._expressions.template(template, scope), wanted)
        if not isinstance(keywords.on_error, OnError):
            self._assignable(keywords.on_error, self._expressions.template(keywords.on_error, scope), shape_of(OnError))

    def _results(self, keywords: Keywords, scope: Scope, record: Shape) -> None:
        for conditions in (keywords.until, keywords.changed_when, keywords.failed_when):
            if conditions:
                self._expressions.conditions(conditions, scope.inside(names={"result": record}))

    def _loop_item(self, loop: Template, scope: Scope) -> Shape:
        shape = self._expressions.template(loop, scope)
        if shape.kind not in {Kind.LIST, Kind.ANY}:
            self._expressions.problem("E103", f"a loop takes a list, not {with_article(describe(shape))}", loop.span)
        return shape.item or ANY if shape.kind is Kind.LIST else ANY

    def _step(self, statement: StepCall, scope: Scope) -> Shape:
        step = self._library.steps.get(statement.step)
        if step is None or statement.step in self._library.broken:
            if step is not None:
                why = self._library.broken[statement.step]
                self._expressions.problem(
                    "E301", f'the step "{statement.step}" cannot be described: {why}', statement.span
                )
            for template in statement.params.values():
                self._expressions.template(template, scope)
            return ANY
        known = signature(step)
        for name, template in statement.params.items():
            if isinstance(template, Literal):
                continue  # the schema has seen it
            shape = self._expressions.template(template, scope)
            if name == "argv" and shape.item is not None and shape.item.kind is Kind.SECRET:
                self._expressions.problem(
                    "W452", "everybody on this machine can read a program's arguments", template.span
                )
            if name in known.params:
                wanted = known.params[name]
                self._assignable(template, shape, wanted.shape, optional=not wanted.required)
        return self._checks.record(statement.step, known)

    def _assignable(self, template: Template, given: Shape, wanted: Shape, *, optional: bool = False) -> None:
        why = why_not_assignable(given, wanted, optional=optional)
        if why is not None:
            self._expressions.problem("E103", why, template.span)
        elif wanted.choices and isinstance(template, Expression):
            self._expressions.each_choice(template, wanted)

    def _block(self, block: Block, inner: Scope, scope: Scope) -> None:
        self._blocks += 1
        through = f"block {self._blocks} went through"
        body = inner.inside(holds={through})
        self._sequence(block.body, body)
        known = {**inner.registered, **body.registered}
        after: dict[str, Registration] = {}
        for part, shape in ((block.rescue, FAILURE), (block.always, with_changes(FAILURE, nullable=True))):
            if part:
                branch = inner.inside(names={"failure": shape}, holds={f"{shape.nullable} in block {self._blocks}"})
                branch.registered = {**known, **after}
                self._sequence(part, branch)
                after |= branch.registered
        if block.keywords.loop is not None:
            return
        scope.registered |= {name: each for name, each in (known | after).items() if name not in scope.registered}
        if not block.rescue and block.keywords.on_error is OnError.STOP:
            scope.holds.add(through)

    def _include(self, include: Include, scope: Scope) -> Shape:
        found = self._library.find(include, self._playbook.path.parent)
        shapes = {name: self._expressions.template(template, scope) for name, template in include.keywords.vars.items()}
        if isinstance(found, Problem):
            return ANY
        child = self._library.load(found, include.kind).playbook
        for name, template in include.keywords.vars.items():
            if name not in child.params:
                message = f'the {include.kind} "{include.target}" has no param "{name}"'
                self._expressions.problem(
                    "E111", message, include.var_spans[name], hint=did_you_mean(name, child.params)
                )
            else:
                spec = child.params[name]
                self._assignable(template, shapes[name], param_shape(spec), optional=not spec.required)
        unknown = [name for name in include.keywords.vars if name not in child.params]
        for name, spec in child.params.items():
            if spec.required and name not in include.keywords.vars and not unknown:
                message = f'the {include.kind} "{include.target}" needs the param "{name}"'
                self._expressions.problem("E111", message, include.target_span)
        return record_shape(self._checks.of(child).outputs)
