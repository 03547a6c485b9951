"""Reading a document's values against a table of keys, collecting every problem with its place."""

import re
from collections.abc import Mapping

from dce_play.discord.media_store.hosts import complaint_about
from dce_play.discord.targets.keys import MEMORY_PATTERN, MOST_JOBS, Key, KeyType
from dce_play.snowflake import is_full_id
from dce_play.source import Document, JsonValue, Pointer, Problem, Span, did_you_mean
from dce_play.system.quantities import parse_size


class Reader:
    """Hands out what is well formed and remembers what is not."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def report(
        self, pointer: Pointer, rule: str, message: str, hint: str = "", *, related: tuple[tuple[str, Span], ...] = ()
    ) -> None:
        """Add a problem at a value."""
        span = self.document.value_span(pointer)
        self.problems.append(Problem(rule=rule, message=message, span=span, hint=hint, related=related))

    def mapping(self, pointer: Pointer, keys: Mapping[str, Key], what: str) -> dict[str, JsonValue] | None:
        """Return the mapping's well-formed entries, or ``None`` where there is no mapping."""
        value = self.value(pointer)
        if not isinstance(value, dict):
            self.report(pointer, "E103", f"{what} must be a mapping, not {_kind(value)}")
            return None
        good: dict[str, JsonValue] = {}
        for name, item in value.items():
            place = (*pointer, name)
            if name not in keys:
                self.problems.append(
                    Problem(
                        rule="E101",
                        message=f"unknown key {name!r} in {what}",
                        span=self.document.key_span(place),
                        hint=did_you_mean(name, keys),
                    )
                )
            elif self._fits(place, keys[name], item):
                good[name] = item
        for name, key in keys.items():
            if key.required and name not in value:
                self.report(pointer, "E102", f"{what} needs {name}", key.help)
        return good

    def value(self, pointer: Pointer) -> JsonValue:
        """Return the document's own value at a pointer that exists."""
        value: JsonValue = self.document.value
        for step in pointer:
            match value:
                case dict():
                    value = value[str(step)]
                case list():
                    value = value[int(step)]
                case _:
                    raise KeyError(pointer)
        return value

    def _fits(self, pointer: Pointer, key: Key, value: JsonValue) -> bool:
        before = len(self.problems)
        match key.type:
            case KeyType.BOOLEAN:
                if not isinstance(value, bool):
                    hint = "write true or false, without quotes"
                    self.report(pointer, "E103", f"{pointer[-1]} must be true or false, not {_kind(value)}", hint)
            case KeyType.STRINGS | KeyType.IDS:
                self._check_list(pointer, key, value)
            case KeyType.TARGETS:
                if not isinstance(value, list):
                    self.report(pointer, "E103", f"{pointer[-1]} must be a list, not {_kind(value)}")
            case KeyType.DEFAULTS:
                pass
            case KeyType.SIZE:
                self._check_size(pointer, value)
            case KeyType.JOBS:
                if type(value) is not int or not 1 <= value <= MOST_JOBS:
                    self.report(pointer, "E103", f"{pointer[-1]} must be a whole number from 1 to {MOST_JOBS}")
            case KeyType.HOSTS:
                self._check_hosts(pointer, key, value)
            case KeyType.STRING | KeyType.PATH | KeyType.MEMORY:
                self._check_text(pointer, key, value)
        return len(self.problems) == before

    def _check_text(self, pointer: Pointer, key: Key, value: JsonValue) -> None:
        if value is None and not key.required:
            return
        if not isinstance(value, str):
            self.report(pointer, "E103", f"{pointer[-1]} must be text, not {_kind(value)}", "put it in quotes")
        elif key.choices and value not in key.choices:
            hint = did_you_mean(value, key.choices)
            self.report(pointer, "E103", f"{pointer[-1]} cannot be {value!r}", hint)
        elif key.type is KeyType.MEMORY and re.fullmatch(MEMORY_PATTERN, value, re.IGNORECASE) is None:
            self.report(pointer, "E103", f"{pointer[-1]} is not a size: {value!r}", "write 8g, 8192m or bytes")

    def _check_size(self, pointer: Pointer, value: JsonValue) -> None:
        hint = "write 50MB, 2GiB or bytes"
        if isinstance(value, bool) or not isinstance(value, int | str):
            self.report(pointer, "E103", f"{pointer[-1]} must be a size, not {_kind(value)}", hint)
            return
        try:
            size = parse_size(str(value))
        except ValueError:
            size = 0
        if size <= 0:
            self.report(pointer, "E103", f"{pointer[-1]} is not a size: {value!r}", hint)

    def _check_hosts(self, pointer: Pointer, key: Key, value: JsonValue) -> None:
        self._check_list(pointer, key, value)
        for index, entry in enumerate(value if isinstance(value, list) else ()):
            wrong = complaint_about(entry) if isinstance(entry, str) else None
            if wrong is not None:
                self.report((*pointer, index), "E103", f"{pointer[-1]} cannot have {entry!r}: {wrong}")

    def _check_list(self, pointer: Pointer, key: Key, value: JsonValue) -> None:
        if not isinstance(value, list):
            self.report(pointer, "E103", f"{pointer[-1]} must be a list, not {_kind(value)}", "write [ … ]")
            return
        for index, item in enumerate(value):
            place = (*pointer, index)
            if key.type is KeyType.IDS:
                self._check_id(place, item)
            elif not isinstance(item, str):
                self.report(place, "E103", f"{pointer[-1]} takes text, not {_kind(item)}", "put it in quotes")

    def _check_id(self, pointer: Pointer, value: JsonValue) -> None:
        if not isinstance(value, str) or not is_full_id(value):
            shown = value if isinstance(value, str) else _kind(value)
            self.report(pointer, "E103", f"not a Discord id: {shown!r}", "ids have 16 to 22 digits and stand in quotes")
        elif self.document.path.suffix == ".json" and not self._is_quoted(pointer):
            reason = f"the id {value} is a number; JSON tools round those above 2^53, so it may be another channel's"
            self.report(pointer, "W008", reason, f'compare it with Discord, then put it in quotes: "{value}"')

    def _is_quoted(self, pointer: Pointer) -> bool:
        span = self.document.value_span(pointer)
        return self.document.text.split("\n")[span.line - 1][span.column - 1] == '"'


def _kind(value: JsonValue) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value!r}"
        case list():
            return "a list"
        case dict():
            return "a mapping"
