"""From a document to a ``Playbook``: what the schema cannot say is checked here, and nothing twice.

Parsing is lenient: a part that ``check`` has refused already is left out, so that the rest is still looked at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from dce_play.playbook.document.document import Reading
from dce_play.playbook.language.correction import likely
from dce_play.playbook.language.declared import default_value
from dce_play.playbook.language.grammar import BODY_KEYS, NEEDS, NO_EFFECT, STATEMENT_KEYS
from dce_play.playbook.language.model import (
    Block,
    CallKind,
    Expression,
    Include,
    Keywords,
    Literal,
    Lock,
    OnError,
    ParamSpec,
    ParamType,
    Playbook,
    Statement,
    StepCall,
    Template,
)
from dce_play.playbook.language.templates import TemplateReader
from dce_play.playbook.types.coerce import WrongValue
from dce_play.source import Document, JsonValue, Pointer, Problem, Span

_NO_KEYWORDS = Keywords()
_Member = TypeVar("_Member", ParamType, OnError, Lock)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a document says, and what is wrong with it beyond its schema."""

    playbook: Playbook
    problems: tuple[Problem, ...]


def parse(reading: Reading, kind: CallKind) -> Parsed:
    """Return the playbook or role that the document holds."""
    parser = _Parser(reading)
    playbook = parser.playbook(kind)
    return Parsed(playbook, tuple(parser.problems + parser.templates.problems))


class _Parser:
    """Walks one document."""

    def __init__(self, reading: Reading) -> None:
        self._document: Document = reading.document
        self._unreadable = reading.unreadable
        self.templates = TemplateReader(reading.document)
        self.problems: list[Problem] = []

    def playbook(self, kind: CallKind) -> Playbook:
        top = _mapping(self._document.value)
        lock = _member(Lock, top.get("lock"))
        return Playbook(
            path=self._document.path,
            kind=kind,
            name=_text(top.get("name")) or self._document.path.stem,
            span=self._first_place(top),
            summary=_text(top.get("summary")),
            params=self._params(_mapping(top.get("params"))),
            vars=self._templates(("vars",), top.get("vars")),
            lock=lock,
            lock_span=self._document.key_span(("lock",)) if lock is not None else None,
            preflight=self._statements(("preflight",), top.get("preflight"), ()),
            steps=self._statements(("steps",), top.get("steps"), ()),
            outputs=self._templates(("outputs",), top.get("outputs")),
        )

    def _first_place(self, top: Mapping[str, JsonValue]) -> Span:
        return self._document.key_span((next(iter(top)),)) if top else self._document.value_span(())

    def _problem(self, rule: str, message: str, span: Span, *, hint: str = "") -> None:
        self.problems.append(Problem(rule=rule, message=message, span=span, hint=hint))

    def _readable(self, pointer: Pointer) -> bool:
        return pointer not in self._unreadable

    def _params(self, declared: Mapping[str, JsonValue]) -> dict[str, ParamSpec]:
        specs = {name: self._param(name, _mapping(value)) for name, value in declared.items()}
        for name, spec in specs.items():
            for index, other in enumerate(spec.conflicts):
                if other not in specs:
                    span = self._document.value_span(("params", name, "conflicts", index))
                    self._problem("E211", f'no param named "{other}"', span)
        return specs

    def _param(self, name: str, value: Mapping[str, JsonValue]) -> ParamSpec:
        spec = ParamSpec(
            name=name,
            type=ParamType(likely(_text(value.get("type")), [*ParamType]) or ParamType.STR),
            span=self._document.key_span(("params", name)),
            required=value.get("required") is True,
            default=value.get("default"),
            help=_text(value.get("help")),
            choices=_texts(value.get("choices")),
            pattern=_text(value.get("pattern")),
            minimum=_number(value.get("min")),
            maximum=_number(value.get("max")),
            env=_text(value.get("env")),
            conflicts=_texts(value.get("conflicts")),
        )
        if _member(ParamType, value.get("type")) is not None and self._readable(("params", name, "default")):
            self._check_param(spec)
        return spec

    def _check_param(self, spec: ParamSpec) -> None:
        pointer: Pointer = ("params", spec.name)
        if spec.type is ParamType.CHOICE and not spec.choices:
            self._problem("E102", 'a choice needs "choices"', self._document.value_span((*pointer, "type")))
        if spec.choices and spec.type is not ParamType.CHOICE:
            self._problem("E118", '"choices" means nothing here', self._document.key_span((*pointer, "choices")))
        if spec.required and spec.default is not None:
            message = "a param that is required never uses its default"
            self._problem("E118", message, self._document.key_span((*pointer, "default")))
        try:
            default_value(spec)
        except WrongValue as error:
            self._problem("E103", str(error), self._document.value_span((*pointer, "default")))

    def _templates(self, pointer: Pointer, value: JsonValue) -> dict[str, Template]:
        return {
            name: self.templates.template((*pointer, name), each)
            for name, each in _mapping(value).items()
            if self._readable((*pointer, name))
        }

    def _statements(self, pointer: Pointer, value: JsonValue, tags: tuple[str, ...]) -> tuple[Statement, ...]:
        if not isinstance(value, list):
            return ()
        found = (
            self._statement((*pointer, index), _mapping(each), tags)
            for index, each in enumerate(value)
            if isinstance(each, dict)
        )
        return tuple(statement for statement in found if statement is not None)

    def _statement(
        self, pointer: Pointer, value: Mapping[str, JsonValue], outer_tags: tuple[str, ...]
    ) -> Statement | None:
        bodies = [key for key in value if "." in key or key in BODY_KEYS]
        if not bodies:
            if all(key in STATEMENT_KEYS for key in value) and self._readable(pointer):
                message = "this step does nothing: it has no step, block, role or playbook"
                at = (*pointer, next(iter(value))) if value else pointer
                self._problem("E102", message, self._document.key_span(at))
            return None
        body = bodies[0]
        for other in bodies[1:]:
            span = self._document.key_span((*pointer, other))
            self._problem("E101", f'one step cannot be both "{body}" and "{other}"', span)
        self._check_keywords(pointer, value, body)
        keywords = self._keywords(pointer, value, outer_tags)
        spans = {key: self._document.key_span((*pointer, key)) for key in value}
        at = (*pointer, body)
        if body == "block":
            return Block(
                body=self._statements(at, value[body], keywords.tags),
                rescue=self._statements((*pointer, "rescue"), value.get("rescue"), keywords.tags),
                always=self._statements((*pointer, "always"), value.get("always"), keywords.tags),
                keywords=keywords,
                span=spans[body],
                keyword_spans=spans,
            )
        if body in {"role", "playbook"}:
            if not isinstance(value[body], str) or not self._readable(at):
                return None
            return Include(
                kind=CallKind(body),
                target=_text(value[body]),
                keywords=keywords,
                span=spans[body],
                target_span=self._document.value_span(at),
                keyword_spans=spans,
                var_spans={name: self._document.key_span((*pointer, "vars", name)) for name in keywords.vars},
            )
        params = self._templates(at, value[body])
        return StepCall(step=body, params=params, keywords=keywords, span=spans[body], keyword_spans=spans)

    def _check_keywords(self, pointer: Pointer, value: Mapping[str, JsonValue], body: str) -> None:
        kind = body if body in BODY_KEYS else "step"
        for key in value:
            span = self._document.key_span((*pointer, key))
            if key in NO_EFFECT[kind]:
                hint = "put the step in a block" if key in {"rescue", "always"} else ""
                self._problem("E118", f'"{key}" means nothing beside a {kind}', span, hint=hint)
            elif key in NEEDS and not any(other in value for other in NEEDS[key]):
                self._problem("E118", f'"{key}" means nothing without {" or ".join(NEEDS[key])}', span)

    def _keywords(self, pointer: Pointer, value: Mapping[str, JsonValue], outer_tags: tuple[str, ...]) -> Keywords:
        if len(value) == 1 and not outer_tags:  # nothing but its body
            return _NO_KEYWORDS

        def template(key: str) -> Template | None:
            usable = value.get(key) is not None and self._readable((*pointer, key))
            return self.templates.template((*pointer, key), value[key]) if usable else None

        def optional(key: str) -> tuple[Expression, ...] | None:
            return self._conditions((*pointer, key), value[key]) if key in value else None

        own_tags = value.get("tags")
        tags = (own_tags,) if isinstance(own_tags, str) else _texts(own_tags)
        return Keywords(
            name=template("name"),
            when=optional("when") or (),
            register=_text(value.get("register")) or None,
            vars=self._templates((*pointer, "vars"), value.get("vars")),
            tags=tuple(sorted({*outer_tags, *tags})),
            loop=template("loop"),
            loop_name=_text(value.get("as")) or "item",
            fan_out=value.get("fan_out") is True,
            on_error=_member(OnError, value.get("on_error")) or _computed(template("on_error")) or OnError.STOP,
            until=optional("until") or (),
            retries=template("retries"),
            delay=template("delay"),
            timeout=template("timeout"),
            changed_when=optional("changed_when"),
            failed_when=optional("failed_when"),
            no_log=value.get("no_log") is True,
            environment=self._templates((*pointer, "environment"), value.get("environment")),
            confirm=template("confirm"),
        )

    def _conditions(self, pointer: Pointer, value: JsonValue) -> tuple[Expression, ...]:
        each: Iterable[tuple[Pointer, JsonValue]] = [(pointer, value)]
        if isinstance(value, list):
            each = [((*pointer, index), item) for index, item in enumerate(value)]
        found = [self.templates.expression(at, item) for at, item in each if self._readable(at)]
        return tuple(expression for expression in found if expression is not None)


def _computed(template: Template | None) -> Template | None:
    """Return the template unless it is a plain value, which the schema has refused already."""
    return None if isinstance(template, Literal) else template


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _number(value: JsonValue) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _member(members: type[_Member], value: JsonValue) -> _Member | None:
    if value is None:
        return None
    return next((member for member in members if member.value == value), None)
