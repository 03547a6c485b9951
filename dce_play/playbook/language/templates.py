"""Finds the expressions in a document's values: plain values become ``Template`` values."""

from dataclasses import dataclass, field

from dce_play.playbook.document.compose import in_quotes
from dce_play.playbook.document.source_map import inside
from dce_play.playbook.language.model import Expression, Fields, Items, Literal, Template, Text
from dce_play.source import Document, JsonValue, Pointer, Problem, Span

_PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class TemplateReader:
    """Reads templates of one document; what is wrong with their braces goes to ``problems``."""

    document: Document
    problems: list[Problem] = field(default_factory=list)

    def template(self, pointer: Pointer, value: JsonValue) -> Template:
        """Return the value at the pointer as a template."""
        span = self.document.value_span(pointer)
        match value:
            case str() if "{{" in value or "{%" in value or "{#" in value:
                return self._text(value, span)
            case list():
                items = tuple(self.template((*pointer, index), item) for index, item in enumerate(value))
                return Literal(value, span) if all(isinstance(item, Literal) for item in items) else Items(items, span)
            case dict():
                fields = {key: self.template((*pointer, key), item) for key, item in value.items()}
                plain = all(isinstance(item, Literal) for item in fields.values())
                return Literal(value, span) if plain else Fields(fields, span)
            case _:
                return Literal(value, span)

    def expression(self, pointer: Pointer, value: JsonValue) -> Expression | None:
        """Return the value of a key such as ``when``, which is an expression without braces."""
        span = self.document.value_span(pointer)
        if isinstance(value, bool):
            return Expression("true" if value else "false", span)
        if not isinstance(value, str) or not value.strip():
            return None
        if "{{" in value and value.strip().startswith("{{") and value.strip().endswith("}}"):
            inner = value.strip()[2:-2].strip()
            special = inner[:1] in set("'\"[{(!&*-") or ": " in inner or " #" in inner
            quoted = in_quotes(inner) if special else inner
            message = "this key takes an expression without braces"
            self.problems.append(
                Problem(rule="E203", message=message, span=span, hint=f"write {inner}", replacement=quoted)
            )
            start = value.index(inner)
            return self._expression(value, span, start, start + len(inner))
        start = len(value) - len(value.lstrip())
        return self._expression(value, span, start, len(value.rstrip()))

    def _problem(self, rule: str, message: str, span: Span, *, hint: str = "") -> None:
        self.problems.append(Problem(rule=rule, message=message, span=span, hint=hint))

    def _inside(self, value: str, span: Span, start: int, end: int) -> Span:
        return inside(self.document.text, span, value, start=start, end=end)

    def _expression(self, value: str, span: Span, start: int, end: int) -> Expression:
        return Expression(value[start:end], self._inside(value, span, start, end))

    def _text(self, value: str, span: Span) -> Template:
        parts: list[str | Expression] = []
        at = 0
        while at < len(value):
            opening = min((found for mark in ("{{", "{%", "{#") if (found := value.find(mark, at)) >= 0), default=-1)
            if opening < 0:
                break
            if value[opening + 1] != "{":
                where = self._inside(value, span, opening, opening + 2)
                what = "statements" if value[opening + 1] == "%" else "comments"
                self._problem("E202", f"template {what} are not read, only {{{{ expressions }}}}", where)
                return Literal(value, span)
            closing = _closing(value, opening + 2)
            if closing < 0:
                where = self._inside(value, span, opening, opening + 2)
                self._problem("E201", "this {{ is never closed", where, hint="close it with }}")
                return Literal(value, span)
            if opening > at:
                parts.append(value[at:opening])
            inner = value[opening + 2 : closing]
            start = opening + 2 + len(inner) - len(inner.lstrip())
            stop = max(start, opening + 2 + len(inner.rstrip()))
            if not inner.strip():
                where = self._inside(value, span, opening, closing + 2)
                self._problem("E201", "there is no expression between the braces", where)
                return Literal(value, span)
            parts.append(self._expression(value, span, start, stop))
            at = closing + 2
        if at < len(value):
            parts.append(value[at:])
        if len(parts) == 1 and isinstance(parts[0], Expression):
            return parts[0]
        return Text(tuple(parts), span)


def _closing(value: str, at: int) -> int:
    """Return the offset of the ``}}`` that ends an expression, past strings and brackets; -1 when there is none."""
    stack: list[str] = []
    quote = ""
    while at < len(value):
        character = value[at]
        if quote:
            if character == "\\":
                at += 1
            elif character == quote:
                quote = ""
        elif character in {"'", '"'}:
            quote = character
        elif not stack and value.startswith("}}", at):
            return at
        elif character in _PAIRS:
            stack.append(_PAIRS[character])
        elif stack and character == stack[-1]:
            stack.pop()
        at += 1
    return -1
