"""JSON in DiscordChatExporter's layout and escaping.

Two spaces a level, one property a line, no line break at the end. What is escaped follows .NET's relaxed encoder:
the quote, the backslash, controls, separators other than the space, private and unassigned characters, and everything
outside the basic plane as surrogate pairs.
Source: docs/design/exporter.md, "Bytes".
"""

import re
import unicodedata
from functools import cache
from typing import TypeAlias

JsonValue: TypeAlias = "str | int | bool | JsonObject | list[JsonObject] | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"

_ASSIGNED_15 = "\u0cf3\u0ece"
"""Assigned in Unicode 15.0, whose assigned characters .NET 8 and 9 leave as they are. Python 3.11 has 14.0, later ones
have more than 15.0."""
_NOT_YET_ASSIGNED = (
    "\u0897\u1acf-\u1add\u1ae0-\u1aeb\u1c89\u1c8a\u20c1\u2427-\u2429\u2ffc-\u2fff\u31e4\u31e5\u31ef\ua7cb-\ua7cf\ua7d2\ua7d4"
    "\ua7da-\ua7dc\ua7f1"
)
"""Assigned later than in Unicode 15.0; some Pythons know them."""
_NAMED = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def quoted(text: str) -> str:
    """Return the text as a JSON string. Half of a surrogate pair becomes U+FFFD."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{_escaped_characters().sub(_escape, text)}"'


@cache
def _escaped_characters() -> re.Pattern[str]:
    kept_though_new = re.compile(f"[{_ASSIGNED_15}]")
    never_kept = re.compile(f"[{_NOT_YET_ASSIGNED}\ufeff]")
    ranges: list[list[int]] = []
    for point in range(0x10000):
        character = chr(point)
        category = unicodedata.category(character)
        kept = category[0] in "LMNPS" or category == "Cf" or character == " " or kept_though_new.match(character)
        if kept and not never_kept.match(character) and character not in _NAMED:
            continue
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    inside = "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in ranges)
    return re.compile(f"[{inside}\\U00010000-\\U0010ffff]")


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in _NAMED:
        return _NAMED[character]
    point = ord(character)
    if 0xD800 <= point <= 0xDFFF:
        return "\ufffd"
    if point < 0x10000:
        return f"\\u{point:04X}"
    high, low = divmod(point - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04X}\\u{0xDC00 + low:04X}"


def rendered(value: JsonValue, indent: str = "") -> str:
    """Return a value as indented JSON; ``indent`` is that of the line it begins on."""
    match value:
        case str():
            return quoted(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case dict():
            if not value:
                return "{}"
            inner = f"{indent}  "
            lines = ",\n".join(f'{inner}"{key}": {rendered(item, inner)}' for key, item in value.items())
            return f"{{\n{lines}\n{indent}}}"
        case list():
            if not value:
                return "[]"
            inner = f"{indent}  "
            items = ",\n".join(f"{inner}{rendered(item, inner)}" for item in value)
            return f"[\n{items}\n{indent}]"
