"""Plain YAML scalars as YAML 1.2's core schema reads them, and those that other tools would read otherwise.

Three spellings do not get the core schema's value but stay text, each with a warning: ``0755``, whose zero would be
lost, integers above 2^53, which are ids that JSON readers would round, and ``.inf``/``.nan``, which JSON
has no word for.
"""

import re

from dce_play.source import JsonValue

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_YAML11_BOOLS = frozenset(
    word for base in ("y", "n", "yes", "no", "on", "off") for word in (base, base.capitalize(), base.upper())
)
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+", re.ASCII)
_SEXAGESIMAL = re.compile(r"[-+]?[1-9][0-9]*(:[0-5]?[0-9])+", re.ASCII)
_VERSION = re.compile(r"[0-9]+\.[0-9]+0", re.ASCII)
_LARGEST_EXACT = 1 << 53
_LONGEST_FLOAT = 400
"""Characters; any double is told by fewer."""


def resolve(text: str) -> JsonValue:
    """Return the value of an unquoted scalar."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if not (text[0].isdigit() or text[0] in "-+."):
        return text
    if _INTEGER.fullmatch(text):
        return text if _LEADING_ZERO.fullmatch(text) or _is_inexact(text) else int(text)
    if _BASED.fullmatch(text):
        return text if _is_inexact(text) else int(text, 0)
    if _FLOAT.fullmatch(text) and len(text) <= _LONGEST_FLOAT:
        number = float(text)
        return number if number not in {float("inf"), float("-inf")} else text
    return text


def doubt(text: str) -> tuple[str, str] | None:
    """Return the rule and the message for an unquoted scalar that other YAML readers take for something else."""
    if text in _YAML11_BOOLS:
        return "W006", f'"{text}" is text in YAML 1.2 and a bool in YAML 1.1'
    if not text or not (text[0].isdigit() or text[0] in "-+"):
        return None
    if _LEADING_ZERO.fullmatch(text):
        return "W007", f"{text} is read as an octal, a decimal or text, depending on the reader; here it is text"
    if _SEXAGESIMAL.fullmatch(text):
        return "W007", f"{text} is text in YAML 1.2 and a number of sixties in YAML 1.1"
    if (_INTEGER.fullmatch(text) or _BASED.fullmatch(text)) and _is_inexact(text):
        return "W008", f"{text} is above 2^53, where readers round; here it is text"
    if _VERSION.fullmatch(text):
        return "W009", f"{text} is a number, so its last zero is lost"
    return None


def _is_inexact(whole: str) -> bool:
    """Return whether a whole number is one that readers round."""
    if _BASED.fullmatch(whole):
        return int(whole, 0) > _LARGEST_EXACT
    return len(whole) >= 20 or abs(int(whole)) > _LARGEST_EXACT  # so many digits are not worth counting
