"""A document's values held against records: every problem at its place, unknown keys with the nearest name.

Durations become seconds on the way. A literal where a reference to a secret belongs is never repeated: the line that
is shown with the problem has it blotted out too.
"""

import re
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from dce_play.backup.definitions import values
from dce_play.source import Document, InvalidDocument, JsonValue, Pointer, Problem, did_you_mean
from dce_play.system.quantities import parse_duration

_Record = TypeVar("_Record")
_BLOT = "*"


class ShapeReader:
    """Reads records out of one document, collecting problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._secrets: list[Pointer] = []

    def record(self, kind: type[_Record], value: JsonValue, pointer: Pointer) -> _Record | None:
        """Return the value as a record, or ``None`` where it has problems."""
        before = len(self.problems)
        checked = self._value(inspect.type_info(kind), value, pointer)
        if len(self.problems) > before:
            return None
        try:
            return msgspec.convert(checked, kind)
        except msgspec.ValidationError as error:
            self.report(pointer, str(error))
            return None

    def report(
        self, pointer: Pointer, message: str, hint: str = "", *, rule: str = "E103", at_key: bool = False
    ) -> None:
        """Add a problem at a value, or at its key."""
        span = self.document.key_span(pointer) if at_key else self.document.value_span(pointer)
        self.problems.append(Problem(rule=rule, message=message, span=span, hint=hint))

    def raise_problems(self) -> None:
        """Raise what was found, if anything was.

        Raises: InvalidDocument.
        """
        if self.problems:
            raise InvalidDocument(self.problems, {self.document.path: self.shown_text()})

    def shown_text(self) -> str:
        """Return the document's text without the literals that should have been references."""
        lines = self.document.text.split("\n")
        for pointer in self._secrets:
            span = self.document.value_span(pointer)
            for number in range(span.line, span.end_line + 1):
                line = lines[number - 1]
                first = span.column - 1 if number == span.line else 0
                last = span.end_column - 1 if number == span.end_line else len(line)
                lines[number - 1] = line[:first] + _BLOT * (last - first) + line[last:]
        return "\n".join(lines)

    def _value(self, kind: Any, value: JsonValue, pointer: Pointer) -> Any:
        match kind:
            case inspect.StructType():
                return self._mapping(kind, value, pointer)
            case inspect.Metadata():
                return self._special(kind, value, pointer)
            case inspect.UnionType():
                return self._union(kind, value, pointer)
            case inspect.VarTupleType() | inspect.ListType():
                return self._list(kind, value, pointer)
            case inspect.LiteralType():
                if value not in kind.values or isinstance(value, bool):
                    choices = [str(each) for each in kind.values if each != ""]
                    hint = did_you_mean(value if isinstance(value, str) else "", choices)
                    self.report(pointer, f"{_name(pointer)} cannot be {_shown(value)}", hint)
            case inspect.BoolType():
                self._expect(isinstance(value, bool), "true or false", value, pointer)
            case inspect.IntType():
                self._integer(kind, value, pointer)
            case inspect.StrType():
                self._text(kind, value, pointer)
        return value

    def _mapping(self, kind: inspect.StructType, value: JsonValue, pointer: Pointer) -> Any:
        if not self._expect(isinstance(value, dict), "a mapping", value, pointer) or not isinstance(value, dict):
            return value
        fields = {field.encode_name: field for field in kind.fields}
        checked: dict[str, Any] = {}
        for key, item in value.items():
            place = (*pointer, key)
            if key not in fields:
                self.report(place, f"unknown key {key!r}", did_you_mean(key, fields), rule="E101", at_key=True)
                continue
            checked[key] = self._value(fields[key].type, item, place)
        for name, field in fields.items():
            if field.required and name not in value:
                self.report(pointer, f"{_name(pointer)} needs {name}", rule="E102")
        return checked

    def _special(self, kind: inspect.Metadata, value: JsonValue, pointer: Pointer) -> Any:
        match (kind.extra or {}).get(values.KIND):
            case values.DURATION:
                return self._duration(value, pointer)
            case values.SECRET:
                pattern = getattr(kind.type, "pattern", None) or ""
                if not isinstance(value, str) or re.search(pattern, value) is None:
                    self._secrets.append(pointer)
                    self.report(
                        pointer,
                        f"{_name(pointer)} takes a reference to a secret, never the secret itself",
                        "write env:NAME, file:PATH or keyring:NAME",
                    )
                return value
        return self._value(kind.type, value, pointer)

    def _duration(self, value: JsonValue, pointer: Pointer) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return float(value)
        try:
            return parse_duration(value if isinstance(value, str) else "")
        except ValueError:
            self.report(pointer, f"{_name(pointer)} is not a duration: {_shown(value)}", "write 90s, 10m or 2h")
            return value

    def _union(self, kind: inspect.UnionType, value: JsonValue, pointer: Pointer) -> Any:
        if value is None and any(isinstance(each, inspect.NoneType) for each in kind.types):
            return None
        structs = [each for each in kind.types if isinstance(each, inspect.StructType)]
        if isinstance(value, dict) and structs:
            return self._value(structs[0], value, pointer)
        rest = [each for each in kind.types if not isinstance(each, inspect.StructType | inspect.NoneType)]
        return self._value(rest[0], value, pointer)

    def _list(self, kind: Any, value: JsonValue, pointer: Pointer) -> Any:
        if not self._expect(isinstance(value, list), "a list", value, pointer) or not isinstance(value, list):
            return value
        return [self._value(kind.item_type, item, (*pointer, at)) for at, item in enumerate(value)]

    def _integer(self, kind: inspect.IntType, value: JsonValue, pointer: Pointer) -> None:
        good = isinstance(value, int) and not isinstance(value, bool)
        if not self._expect(good, "a whole number", value, pointer) or not isinstance(value, int):
            return
        if kind.ge is not None and value < kind.ge:
            self.report(pointer, f"{_name(pointer)} is at least {kind.ge}, not {value}")
        if kind.le is not None and value > kind.le:
            self.report(pointer, f"{_name(pointer)} is at most {kind.le}, not {value}")

    def _text(self, kind: inspect.StrType, value: JsonValue, pointer: Pointer) -> None:
        if not self._expect(isinstance(value, str), "text", value, pointer) or not isinstance(value, str):
            return
        if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
            self.report(pointer, f"{_name(pointer)} has control characters in it")
        elif kind.pattern is not None and re.search(kind.pattern, value) is None:
            hint = "write an absolute path" if kind.pattern == "^/" else f"it must match {kind.pattern}"
            self.report(pointer, f"{_name(pointer)} cannot be {value!r}", hint)

    def _expect(self, good: bool, what: str, value: JsonValue, pointer: Pointer) -> bool:
        if not good:
            self.report(pointer, f"{_name(pointer)} must be {what}, not {_shown(value)}")
        return good


def _name(pointer: Pointer) -> str:
    names = [str(part) for part in pointer if isinstance(part, str)]
    return names[-1] if names else "the file"


def _shown(value: JsonValue) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
    return repr(value)
