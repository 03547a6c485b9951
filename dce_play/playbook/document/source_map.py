"""From an offset inside a scalar's value to the line and column where that character was written."""

from dce_play.source import Span

_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


def inside(file_text: str, scalar: Span, content: str, *, start: int, end: int) -> Span:
    """Return where ``content[start:end]`` was written, given the place of the whole scalar."""
    raw_length = scalar.end_column - scalar.column
    if scalar.line == scalar.end_line and raw_length in {len(content), len(content) + 2} and "\n" not in content:
        shift = scalar.column + (raw_length - len(content)) // 2
        if raw_length == len(content) or not _has_escapes(file_text, scalar):
            return _on_line(scalar, shift + start, shift + end)
    first, raw = _raw(file_text, scalar)
    offsets = _align(raw, content)
    begin = first + offsets[start]
    finish = first + offsets[max(end - 1, start)] + (1 if end > start else 0)
    line, column = _place(file_text, begin)
    end_line, end_column = _place(file_text, finish)
    return Span(path=scalar.path, line=line, column=column, end_line=end_line, end_column=end_column)


def _on_line(scalar: Span, column: int, end_column: int) -> Span:
    return Span(path=scalar.path, line=scalar.line, column=column, end_line=scalar.line, end_column=end_column)


def _has_escapes(file_text: str, scalar: Span) -> bool:
    raw = _raw(file_text, scalar)[1]
    return "\\" in raw or "''" in raw


def _raw(file_text: str, scalar: Span) -> tuple[int, str]:
    """Return the offset of the scalar in the file, and its text as written."""
    start = end = -1
    for _ in range(scalar.line - 1):
        start = file_text.index("\n", start + 1)
    end = start
    for _ in range(scalar.end_line - scalar.line):
        end = file_text.index("\n", end + 1)
    return start + scalar.column, file_text[start + scalar.column : end + scalar.end_column]


def _place(file_text: str, offset: int) -> tuple[int, int]:
    before = file_text.rfind("\n", 0, offset)
    return file_text.count("\n", 0, offset) + 1, offset - before


def _align(raw: str, content: str) -> list[int]:
    """Return, for each character of the content, its offset in the raw text, and one more for the end.

    Folding turns line breaks into blanks and drops indents, escapes make one character of several: so all that is
    not blank is matched in order, and blanks go along.
    """
    style = raw[:1]
    at = raw.find("\n") + 1 if style in {"|", ">"} else 1 if style in {"'", '"'} else 0
    offsets: list[int] = []
    for character in content:
        while style == '"' and raw.startswith("\\\n", at):
            at += len(raw[at:]) - len(raw[at + 1 :].lstrip())
        if not character.isspace():
            while at < len(raw) and raw[at].isspace():
                at += 1
        offsets.append(min(at, len(raw)))
        at += _raw_length(raw, at, style=style, character=character)
    return [*offsets, min(at, len(raw))]


def _raw_length(raw: str, at: int, *, style: str, character: str) -> int:
    if style == '"' and raw.startswith("\\", at):
        return _ESCAPE_LENGTHS.get(raw[at + 1 : at + 2], 2)
    if style == "'" and character == "'":
        return 2
    if character.isspace() and not raw[at : at + 1].isspace():
        return 0
    return 1
