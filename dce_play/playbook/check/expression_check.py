"""Checks the types of the expressions of one file, each in the scope of its place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as with_changes

from dce_play.playbook.document.source_map import inside
from dce_play.playbook.expressions.expression_types import text_diagnostic
from dce_play.playbook.language.model import Expression, Fields, Items, Literal, Template, Text
from dce_play.playbook.types.shapes import (
    ANY,
    SECRET,
    STR,
    Field,
    Kind,
    Shape,
    describe,
    list_of,
    mapping_of,
    shape_of_value,
)
from dce_play.source import Problem, Severity, Span, did_you_mean


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered name."""

    shape: Shape
    needs: frozenset[str]
    """What must hold where it is read, so that it is there."""


@dataclass(slots=True, kw_only=True)
class Scope:
    """The names at one place, and what is known to hold there."""

    names: dict[str, Shape]
    registered: dict[str, Registration] = field(default_factory=dict)
    holds: set[str] = field(default_factory=set)

    def inside(self, *, names: Mapping[str, Shape] | None = None, holds: Iterable[str] = ()) -> "Scope":
        return Scope(
            names={**self.names, **(names or {})}, registered=dict(self.registered), holds={*self.holds, *holds}
        )

    def shapes(self) -> dict[str, Shape]:
        shapes = {**self.names, **{name: each.shape for name, each in self.registered.items()}}
        for space in ("params", "vars"):
            given = [
                hold.removesuffix(_GIVEN).removeprefix(f"{space}.") for hold in self.holds if hold.endswith(_GIVEN)
            ]
            fields = shapes[space].fields if space in shapes else None
            if given and fields:
                shapes[space] = with_changes(shapes[space], fields={**fields, **_never_null(fields, given)})
        return shapes


_GIVEN = " is not none"


def _never_null(fields: Mapping[str, Field], names: Iterable[str]) -> dict[str, Field]:
    known = [name for name in names if name in fields]
    return {name: with_changes(fields[name], shape=with_changes(fields[name].shape, nullable=False)) for name in known}


class ExpressionCheck:
    """Checks templates; ``problems`` and ``reads`` (names with the key that follows) are what it found."""

    def __init__(self, text: str, registered: Mapping[str, int]) -> None:
        """``text`` is the file's, ``registered`` the line of every name that it registers anywhere."""
        self._text = text
        self._registered = registered
        self.problems: list[Problem] = []
        self.reads: set[tuple[str, ...]] = set()
        self._vars_below: tuple[str, ...] = ()
        """The vars being checked that cannot be read yet."""
        self.not_yet = ""
        """The loop's name, while the condition before the loop is checked."""

    def problem(self, rule: str, message: str, span: Span, *, hint: str = "") -> None:
        """Note a problem."""
        severity = Severity.WARNING if rule.startswith("W") else Severity.ERROR
        self.problems.append(Problem(rule=rule, message=message, span=span, severity=severity, hint=hint))

    def vars(self, templates: Mapping[str, Template], scope: Scope, *, existing: Shape | None = None) -> Shape:
        """Return the shape of ``vars`` with these added, each checked with those above it."""
        if existing is not None and not templates:
            return existing
        shapes = {name: each.shape for name, each in (existing.fields or {}).items()} if existing else {}
        inner = scope.inside()
        below = list(templates)
        for name, template in templates.items():
            self._vars_below = tuple(below)
            below.remove(name)
            if name in shapes and existing is not None:
                self.problem("E002", f'"{name}" is in vars already', template.span, hint="nothing shadows")
            inner.names["vars"] = mapping_of(shapes)
            shapes[name] = self.template(template, inner)
        self._vars_below = ()
        return mapping_of(shapes)

    def template(self, template: Template, scope: Scope) -> Shape:
        """Return the shape of a template's value, noting what is wrong inside it."""
        match template:
            case Literal(value=value):
                return shape_of_value(value)
            case Expression():
                return self.expression(template, scope)
            case Text(parts=parts):
                for part in parts:
                    if isinstance(part, Expression):
                        self.as_text(part, scope)
                return STR
            case Items(items=items):
                shapes = [self.template(item, scope) for item in items]
                if any(shape.kind is Kind.SECRET for shape in shapes):
                    return list_of(SECRET)
                return list_of(shapes[0] if len({shape.kind for shape in shapes}) == 1 else ANY)
            case Fields(fields=fields):
                return mapping_of({name: self.template(each, scope) for name, each in fields.items()})

    def expression(self, expression: Expression, scope: Scope, *, condition: bool = False) -> Shape:
        """Return the shape of an expression's value, noting what is wrong inside it."""
        from dce_play.playbook.expressions.inference import infer  # start-up time: it imports Jinja

        found = infer(expression.text, scope.shapes())
        diagnostics = list(found.diagnostics)
        if condition and not diagnostics:
            diagnostics = list(found.bool_diagnostics)
            if found.constant and not diagnostics:
                self.problem("W224", "this is always the same", expression.span)
        for diagnostic in diagnostics:
            known_elsewhere = diagnostic.rule == "E211" and self._elsewhere(
                expression, diagnostic.offset, diagnostic.length
            )
            span = inside(
                self._text,
                expression.span,
                expression.text,
                start=diagnostic.offset,
                end=diagnostic.offset + diagnostic.length,
            )
            if known_elsewhere:
                self.problem("E113", known_elsewhere, span)
            elif diagnostic.rule == "E211" and expression.text[diagnostic.offset :].startswith(tuple(self._vars_below)):
                self.problem("E212", "vars may read those above them only", span)
            elif (
                diagnostic.rule == "E211"
                and self.not_yet
                and expression.text[diagnostic.offset :].startswith(self.not_yet)
            ):
                hint = "put the step in a block that loops, and when on the step"
                self.problem("E211", "when is asked once, before the loop", span, hint=hint)
            else:
                self.problem(diagnostic.rule, diagnostic.message, span, hint=diagnostic.hint)
        self.reads |= found.reads
        self._check_there(expression, {path[0] for path in found.reads} - found.guarded, scope)
        for path in found.reads:
            self._check_environment(path, expression)
        return found.shape

    def each_choice(self, expression: Expression, wanted: Shape) -> None:
        """Note every text written in the expression that it may give, and that is none of the choices."""
        from dce_play.playbook.expressions.possible_texts import possible_texts  # start-up time, as above

        for text, offset in possible_texts(expression.text):
            if text not in wanted.choices:
                end = offset + len(text) + 2  # its quotes
                span = inside(self._text, expression.span, expression.text, start=offset, end=end)
                self.problem(
                    "E103", f'"{text}" is not {describe(wanted)}', span, hint=did_you_mean(text, wanted.choices)
                )

    def _elsewhere(self, expression: Expression, offset: int, length: int) -> str:
        """Return why a name that is registered somewhere cannot be read here."""
        name = expression.text[offset : offset + length]
        line = self._registered.get(name)
        before = expression.text[:offset].rstrip()
        if line is None or before.endswith("."):
            return ""
        self.reads.add((name,))
        if line > expression.span.line:
            return f'"{name}" is registered later, in line {line}'
        return f'"{name}" is registered inside a loop in line {line}, and known there only'

    def _check_there(self, expression: Expression, names: set[str], scope: Scope) -> None:
        for name in sorted(names & scope.registered.keys()):
            missing = scope.registered[name].needs - scope.holds
            if missing and f"{name} is defined" not in scope.holds:
                at = expression.text.find(name)
                span = inside(self._text, expression.span, expression.text, start=at, end=at + len(name))
                reason = "its step or block may not have run"
                hint = f"add when: {name} is defined, or the condition of its step"
                self.problem("E113", f'"{name}" may not be there: {reason}', span, hint=hint)

    def _check_environment(self, path: tuple[str, ...], expression: Expression) -> None:
        if path[0] == "env" and len(path) > 1 and _looks_secret(path[1]):
            hint = "declare a param of type secret with the default env:" + path[1]
            self.problem("W452", f'"{path[1]}" looks like a secret, and this would show it', expression.span, hint=hint)

    def conditions(self, conditions: tuple[Expression, ...], scope: Scope) -> frozenset[str]:
        """Check conditions; return what holds once they do."""
        held: set[str] = set()
        for condition in conditions:
            self.expression(condition, scope.inside(holds=held), condition=True)
            held |= {part.strip() for part in condition.text.split(" and ")}
        return frozenset(held)

    def as_text(self, template: Template, scope: Scope) -> None:
        """Check a template that stands for text."""
        shape = self.template(template, scope)
        if isinstance(template, Expression) and shape.kind is not Kind.ANY:
            diagnostic = text_diagnostic(shape)
            if diagnostic is not None:
                self.problem("E223", diagnostic, template.span)


_SECRET_WORDS = ("token", "secret", "password", "passwd", "api_key", "apikey", "private_key")


def _looks_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)
