"""What the YAML reader says of a broken place, in words that tell what to write instead."""

import re
from collections.abc import Callable

_KEY = re.compile(r"\s*(?:- +)*[^\s#'\"\[{][^:]*:\s+\S")
_FLOW = re.compile(r"expected ',' or '([\]}])', but got '(.*)'")
_NO_VALUE = re.compile(r"expected the node content, but found '(.*)'")
_INDICATOR = re.compile(r"found character '(.)' that cannot start any token")
_ESCAPE = re.compile(r"found unknown escape character ['\"](.*)['\"]")

_FIXED: dict[str, tuple[str, str]] = {
    "sequence entries are not allowed here": ("a list cannot begin behind a key", "begin it on the next line"),
    "found unexpected end of stream": ("a quote is not closed", "close it where the text ends"),
    "found unexpected document separator": ("a quote is not closed before ---", "close it where the text ends"),
    "could not find expected ':'": ("a line before this has no colon after its key", "write key: value"),
    "special characters are not allowed": (
        "a control character stands here",
        "remove it, or write it as \\xNN in quotes",
    ),
    "mapping keys are not allowed here": ("a ? here reads as the begin of a key", "quote the text"),
    "found unexpected ':'": ("a colon stands where text ends", "quote the text"),
}


def in_our_words(said: str, text: str, offset: int) -> tuple[str, str]:
    """Return message and hint for what the reader said of the offset, never its own words."""
    if said in _FIXED:
        return _FIXED[said]
    for pattern, words in _PATTERNS:
        found = pattern.match(said)
        if found is not None:
            return words(found)
    line = text[text.rfind("\n", 0, offset) + 1 : offset]
    if said == "mapping values are not allowed here":
        return _second_colon(line, text, offset)
    if said.startswith("expected <block end>"):
        if re.search(r"['\"]\s*$", line):
            return "text goes on after its closing quote", "quote the whole text, with quotes that are not in it"
        return "this is not indented like what it belongs to", "give it as many spaces as its neighbours"
    return "this cannot be read", "quote the text here, or on the line above"


def _no_value(got: str) -> tuple[str, str]:
    if got in {"]", "}"}:
        return f"there is no {'[' if got == ']' else '{'} for this {got}", "remove it, or quote the text"
    if got == "<stream end>":
        return "a value is missing at the end of the file", "write it, or close what is open"
    return "a value is missing before this", "write it, or quote the text"


def _flow(found: re.Match[str]) -> tuple[str, str]:
    closing, got = found.groups()
    opening = "[" if closing == "]" else "{"
    if got == ":":
        return f"a second colon between {opening} and {closing}", "quote the text after the colon"
    if got in "]}":
        return f"{opening} is closed by {got}", f"write {closing}"
    return f"{opening} is not closed", f"write {closing} where it ends, or quote the text"


_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], tuple[str, str]]], ...] = (
    (_FLOW, _flow),
    (_NO_VALUE, lambda found: _no_value(found[1])),
    (_INDICATOR, lambda found: (f"text cannot begin with {found[1]}", "quote it")),
    (_ESCAPE, lambda found: (f"\\{found[1]} means nothing between these quotes", "use single quotes, or write \\\\")),
    (
        re.compile(r"expected escape sequence of (\d)"),
        lambda found: (f"an escape here needs {found[1]} hexadecimal digits", "use single quotes, or write \\\\"),
    ),
    (
        re.compile(r"expected (?:URI|'[ !>]')|found undefined tag handle"),
        lambda _: ("text that begins with ! reads as a tag", "quote the text"),
    ),
    (
        re.compile(r"expected alphabetic or numeric character"),
        lambda _: ("& and * begin an anchor's name, and none follows", "quote the text"),
    ),
    (
        re.compile(r"expected (?:chomping or|a comment or|indentation)"),
        lambda _: ("text stands beside | or >", "begin it on the next line, or quote it"),
    ),
    (
        re.compile(r"expected '<document start>'"),
        lambda _: ("the document has ended before this", "remove what is too much, or quote the text"),
    ),
)


def _second_colon(line: str, text: str, offset: int) -> tuple[str, str]:
    if _KEY.match(line):
        return "a second colon on one line reads as another key", "quote the text after the colon"
    above = text[: text.rfind("\n", 0, offset) + 1].rstrip().rpartition("\n")[2]
    if ":" in above:
        return "a key cannot stand below a value", f"indent it like {above.split(':')[0].strip()}, or remove that value"
    return "the line above has no colon", "write key: value"
