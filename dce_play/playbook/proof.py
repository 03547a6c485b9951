"""Proves a playbook's expressions before anything runs: every name is there, and every value fits where it goes.

A registered name is there from its step on. Where its step may not have run (it, or a block around it, has a
``when``; or its block may have failed) a reader must stand under the same condition or guard itself with
``is defined`` or ``default``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as with_changes
from pathlib import Path

from dce_play.playbook.carets import inside
from dce_play.playbook.contents import statements
from dce_play.playbook.declared import param_shape
from dce_play.playbook.fitting import misfit
from dce_play.playbook.library import Library
from dce_play.playbook.model import (
    Block,
    CallKind,
    Expression,
    Fields,
    Include,
    Items,
    Keywords,
    Literal,
    OnError,
    Playbook,
    Statement,
    StepCall,
    Template,
    Text,
)
from dce_play.playbook.names import FAILURE, RESERVED_NAMES, RESERVED_PARAMS, built_in, loop_record_shape, record_shape
from dce_play.playbook.shapes import (
    ANY,
    DURATION,
    INT,
    SECRET,
    STR,
    Field,
    Kind,
    Shape,
    describe,
    list_of,
    mapping_of,
    shape_of_value,
    signature,
    with_article,
)
from dce_play.source import Problem, Severity, Span, did_you_mean


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found in one file."""

    problems: tuple[Problem, ...] = ()
    outputs: Mapping[str, Field] = field(default_factory=dict)
    """What whoever includes the file may register."""


@dataclass(slots=True)
class Proofs:
    """Proves files of a library, each once."""

    library: Library
    _done: dict[Path, Proof] = field(default_factory=dict)

    def of(self, playbook: Playbook) -> Proof:
        """Return the proof of a playbook or role."""
        if playbook.path not in self._done:
            self._done[playbook.path] = Proof()  # what a file that includes itself sees of itself
            self._done[playbook.path] = _Prover(playbook, self.library, self).prove()
        return self._done[playbook.path]


@dataclass(frozen=True, slots=True)
class _Registration:
    """A registered name."""

    shape: Shape
    needs: frozenset[str]
    """What must hold where it is read, so that it is there."""


@dataclass(slots=True, kw_only=True)
class _Scope:
    """The names at one place, and what is known to hold there."""

    names: dict[str, Shape]
    registered: dict[str, _Registration] = field(default_factory=dict)
    holds: set[str] = field(default_factory=set)

    def inside(self, *, names: Mapping[str, Shape] | None = None, holds: Iterable[str] = ()) -> "_Scope":
        return _Scope(
            names={**self.names, **(names or {})}, registered=dict(self.registered), holds={*self.holds, *holds}
        )

    def shapes(self) -> dict[str, Shape]:
        return {**self.names, **{name: each.shape for name, each in self.registered.items()}}


class _Prover:
    """Goes through one file, in the order in which it runs."""

    def __init__(self, playbook: Playbook, library: Library, proofs: Proofs) -> None:
        self._playbook = playbook
        self._library = library
        self._proofs = proofs
        self._text = library.entries[playbook.path].document.text
        self._problems: list[Problem] = []
        self._reads: set[tuple[str, ...]] = set()
        every = [*statements((*playbook.preflight, *playbook.steps))]
        self._registered_somewhere = {each.keywords.register: each for each in every if each.keywords.register}
        self._blocks = 0
        self._vars_below: tuple[str, ...] = ()
        """The vars being proved that cannot be read yet."""
        self._not_yet = ""
        """The loop's name, while the condition before the loop is proved."""

    def prove(self) -> Proof:
        playbook = self._playbook
        scope = _Scope(names=built_in(playbook))
        for name, spec in playbook.params.items():
            if name in RESERVED_PARAMS and playbook.kind is CallKind.PLAYBOOK:
                message = f'"{name}" is an option of every playbook; choose another name'
                self._problem("E002", message, spec.span)
        scope.names["vars"] = self._vars(playbook.vars, scope)
        self._sequence(playbook.preflight, scope)
        self._sequence(playbook.steps, scope)
        outputs = {
            name: Field(name=name, shape=self._template(template, scope)) for name, template in playbook.outputs.items()
        }
        self._unused()
        return Proof(tuple(self._problems), outputs)

    def _problem(self, rule: str, message: str, span: Span, *, hint: str = "") -> None:
        severity = Severity.WARNING if rule.startswith("W") else Severity.ERROR
        self._problems.append(Problem(rule=rule, message=message, span=span, severity=severity, hint=hint))

    def _unused(self) -> None:
        problems = (*self._library.entries[self._playbook.path].problems, *self._problems)
        if any(problem.severity is Severity.ERROR for problem in problems):
            return  # a name that is never used may be the one that another was meant to be
        for name, spec in self._playbook.params.items():
            if ("params", name) not in self._reads and ("params",) not in self._reads:
                self._problem("W228", f'the param "{name}" is never used', spec.span)
        read = {path[0] for path in self._reads}
        for name, statement in self._registered_somewhere.items():
            if name not in read:
                self._problem("W228", f'"{name}" is registered and never used', statement.keyword_spans["register"])

    # Statements.

    def _sequence(self, body: Iterable[Statement], scope: _Scope) -> None:
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, statement: Statement, scope: _Scope) -> None:
        keywords = statement.keywords
        self._not_yet = keywords.loop_name if keywords.loop is not None else ""
        conditions = self._conditions(keywords.when, scope)
        self._not_yet = ""
        inner = scope.inside(holds=conditions)
        if keywords.loop is not None:
            item = self._loop_item(keywords.loop, inner)
            self._check_new_name(keywords.loop_name, inner, statement.keyword_spans.get("as", statement.span))
            inner.names[keywords.loop_name] = item
        if not isinstance(statement, Include):
            inner.names["vars"] = self._vars(keywords.vars, inner, existing=inner.names["vars"])
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
            if "as" in statement.keyword_spans and not any(path[0] == keywords.loop_name for path in self._reads):
                self._problem("W228", f'"{keywords.loop_name}" is never used', statement.keyword_spans["as"])
            record = loop_record_shape(record)
        if keywords.register is not None:
            self._check_new_name(keywords.register, scope, statement.keyword_spans["register"])
            scope.registered[keywords.register] = _Registration(record, frozenset(scope.holds | conditions))

    def _check_new_name(self, name: str, scope: _Scope, span: Span) -> None:
        if name in RESERVED_NAMES or name in scope.names or name in scope.registered:
            self._problem("E002", f'the name "{name}" is taken', span, hint="nothing shadows; choose another name")

    def _keyword_values(self, keywords: Keywords, scope: _Scope) -> None:
        for template in (keywords.name, keywords.confirm, *keywords.environment.values()):
            if template is not None:
                self._as_text(template, scope)
        for template, wanted in ((keywords.retries, INT), (keywords.delay, DURATION), (keywords.timeout, DURATION)):
            if template is not None and not isinstance(template, Literal):
                self._fits(template, self._template(template, scope), wanted)

    def _as_text(self, template: Template, scope: _Scope) -> None:
        shape = self._template(template, scope)
        if isinstance(template, Expression) and shape.kind is not Kind.ANY:
            from dce_play.playbook.inference import text_flaw  # start-up time: it imports Jinja

            flaw = text_flaw(shape)
            if flaw is not None:
                self._problem("E223", flaw, template.span)

    def _results(self, keywords: Keywords, scope: _Scope, record: Shape) -> None:
        inner = scope.inside(names={"result": record})
        for conditions in (keywords.until, keywords.changed_when or (), keywords.failed_when or ()):
            self._conditions(conditions, inner)

    def _loop_item(self, loop: Template, scope: _Scope) -> Shape:
        shape = self._template(loop, scope)
        if shape.kind not in {Kind.LIST, Kind.ANY}:
            self._problem("E103", f"a loop takes a list, not {with_article(describe(shape))}", loop.span)
        return shape.item or ANY if shape.kind is Kind.LIST else ANY

    def _step(self, statement: StepCall, scope: _Scope) -> Shape:
        step = self._library.steps.get(statement.step)
        if step is None or statement.step in self._library.broken:
            if step is not None:
                why = self._library.broken[statement.step]
                self._problem("E301", f'the step "{statement.step}" cannot be described: {why}', statement.span)
            for template in statement.params.values():
                self._template(template, scope)
            return ANY
        known = signature(step)
        for name, template in statement.params.items():
            shape = self._template(template, scope)
            if name == "argv" and shape.item is not None and shape.item.kind is Kind.SECRET:
                self._problem("W452", "everybody on this machine can read a program's arguments", template.span)
            if name in known.params and not isinstance(template, Literal):
                wanted = known.params[name]
                self._fits(template, shape, wanted.shape, optional=not wanted.required)
        return record_shape(known.outputs)

    def _fits(self, template: Template, given: Shape, wanted: Shape, *, optional: bool = False) -> None:
        why = misfit(given, wanted, optional=optional)
        if why is not None:
            self._problem("E103", why, template.span)

    def _block(self, block: Block, inner: _Scope, scope: _Scope) -> None:
        self._blocks += 1
        through = f"block {self._blocks} went through"
        body = inner.inside(holds={through})
        self._sequence(block.body, body)
        known = {**inner.registered, **body.registered}
        after: dict[str, _Registration] = {}
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

    def _include(self, include: Include, scope: _Scope) -> Shape:
        found = self._library.find(include, self._playbook.path.parent)
        shapes = {name: self._template(template, scope) for name, template in include.keywords.vars.items()}
        if isinstance(found, Problem):
            return ANY
        child = self._library.load(found, include.kind).playbook
        for name, template in include.keywords.vars.items():
            if name not in child.params:
                message = f'the {include.kind} "{include.target}" has no param "{name}"'
                self._problem("E111", message, include.var_spans[name], hint=did_you_mean(name, child.params))
            else:
                spec = child.params[name]
                self._fits(template, shapes[name], param_shape(spec), optional=not spec.required)
        unknown = [name for name in include.keywords.vars if name not in child.params]
        for name, spec in child.params.items():
            if spec.required and name not in include.keywords.vars and not unknown:
                message = f'the {include.kind} "{include.target}" needs the param "{name}"'
                self._problem("E111", message, include.target_span)
        return record_shape(self._proofs.of(child).outputs)

    # Templates and expressions.

    def _vars(self, templates: Mapping[str, Template], scope: _Scope, *, existing: Shape | None = None) -> Shape:
        shapes = {name: each.shape for name, each in (existing.fields or {}).items()} if existing else {}
        inner = scope.inside()
        below = list(templates)
        for name, template in templates.items():
            self._vars_below = tuple(below)
            below.remove(name)
            if name in shapes and existing is not None:
                self._problem("E002", f'"{name}" is in vars already', template.span, hint="nothing shadows")
            inner.names["vars"] = mapping_of(shapes)
            shapes[name] = self._template(template, inner)
        self._vars_below = ()
        return mapping_of(shapes)

    def _template(self, template: Template, scope: _Scope) -> Shape:
        """Return the shape of a template's value, noting what is wrong inside it."""
        match template:
            case Literal(value=value):
                return shape_of_value(value)
            case Expression():
                return self._expression(template, scope)
            case Text(parts=parts):
                for part in parts:
                    if isinstance(part, Expression):
                        self._as_text(part, scope)
                return STR
            case Items(items=items):
                shapes = [self._template(item, scope) for item in items]
                if any(shape.kind is Kind.SECRET for shape in shapes):
                    return list_of(SECRET)
                return list_of(shapes[0] if len({shape.kind for shape in shapes}) == 1 else ANY)
            case Fields(fields=fields):
                return mapping_of({name: self._template(each, scope) for name, each in fields.items()})

    def _expression(self, expression: Expression, scope: _Scope, *, condition: bool = False) -> Shape:
        from dce_play.playbook.inference import infer  # start-up time: it imports Jinja

        found = infer(expression.text, scope.shapes())
        flaws = list(found.flaws)
        if condition and not flaws:
            flaws = list(found.bool_flaws)
            if found.constant and not flaws:
                self._problem("W224", "this is always the same", expression.span)
        for flaw in flaws:
            known_elsewhere = flaw.rule == "E211" and self._elsewhere(expression, flaw.offset, flaw.length)
            span = inside(
                self._text, expression.span, expression.text, start=flaw.offset, end=flaw.offset + flaw.length
            )
            if known_elsewhere:
                self._problem("E113", known_elsewhere, span)
            elif flaw.rule == "E211" and expression.text[flaw.offset :].startswith(tuple(self._vars_below)):
                self._problem("E212", "vars may read those above them only", span)
            elif flaw.rule == "E211" and self._not_yet and expression.text[flaw.offset :].startswith(self._not_yet):
                hint = "put the step in a block that loops, and when on the step"
                self._problem("E211", "when is asked once, before the loop", span, hint=hint)
            else:
                self._problem(flaw.rule, flaw.message, span, hint=flaw.hint)
        self._reads |= found.reads
        self._check_there(expression, {path[0] for path in found.reads} - found.guarded, scope)
        for path in found.reads:
            self._check_environment(path, expression)
        return found.shape

    def _elsewhere(self, expression: Expression, offset: int, length: int) -> str:
        """Return why a name that is registered somewhere cannot be read here."""
        name = expression.text[offset : offset + length]
        statement = self._registered_somewhere.get(name)
        before = expression.text[:offset].rstrip()
        if statement is None or before.endswith("."):
            return ""
        self._reads.add((name,))
        line = statement.keyword_spans["register"].line
        if line > expression.span.line:
            return f'"{name}" is registered later, in line {line}'
        return f'"{name}" is registered inside a loop in line {line}, and known there only'

    def _check_there(self, expression: Expression, names: set[str], scope: _Scope) -> None:
        for name in sorted(names & scope.registered.keys()):
            missing = scope.registered[name].needs - scope.holds
            if missing and f"{name} is defined" not in scope.holds:
                at = expression.text.find(name)
                span = inside(self._text, expression.span, expression.text, start=at, end=at + len(name))
                reason = "its step or block may not have run"
                hint = f"add when: {name} is defined, or the condition of its step"
                self._problem("E113", f'"{name}" may not be there: {reason}', span, hint=hint)

    def _check_environment(self, path: tuple[str, ...], expression: Expression) -> None:
        if path[0] == "env" and len(path) > 1 and _looks_secret(path[1]):
            hint = "declare a param of type secret with the default env:" + path[1]
            self._problem(
                "W452", f'"{path[1]}" looks like a secret, and this would show it', expression.span, hint=hint
            )

    def _conditions(self, conditions: tuple[Expression, ...], scope: _Scope) -> frozenset[str]:
        """Prove conditions; return what holds once they do."""
        held: set[str] = set()
        for condition in conditions:
            self._expression(condition, scope.inside(holds=held), condition=True)
            held |= {part.strip() for part in condition.text.split(" and ")}
        return frozenset(held)


_SECRET_WORDS = ("token", "secret", "password", "passwd", "api_key", "apikey", "private_key")


def _looks_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)
