"""Reads YAML 1.2 and JSON files into ``Document`` values, with every problem of their writing.

``read_document`` never fails: it gives what could be read and all problems. ``load_document`` is for callers that
want a sound document or an ``InvalidDocument``.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dce_play.errors import UsageError
from dce_play.playbook.document.cache import pack_document, pack_problem, unpack_document, unpack_problem
from dce_play.playbook.document.compose import Composer, Places, TooLarge, in_quotes
from dce_play.source import Document, InvalidDocument, JsonValue, NodeSpan, Pointer, Problem, Severity

MAX_BYTES = 8 << 20
_MAX_REPAIRS = 25
_UNQUOTED = re.compile(r"^[ ]*(?:- +)*(?:[^\s#:'\"{}\[\],]+:[ ]+)?(?:- +)*(?P<value>\{\{.*?)(?P<comment>\s+#.*)?\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading a file gave."""

    document: Document
    problems: tuple[Problem, ...]
    unreadable: frozenset[Pointer]
    """Values that are not what their author meant, with a problem each already; checks pass them over."""
    sha256: str


def load_document(path: Path, *, theirs: Callable[[Pointer], bool] | None = None) -> Document:
    """Return the file as a document; of how the values are written that are ``theirs`` nothing is told.

    Raises: InvalidDocument, when anything is wrong with its writing; UsageError, when it cannot be opened.
    """
    reading = read_document(path, read_bytes(path), theirs=theirs)
    errors = [problem for problem in reading.problems if problem.severity is Severity.ERROR]
    if errors:
        raise InvalidDocument(errors, {path: reading.document.text})
    return reading.document


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes; of one that is too large, or has no end, as many as show that.

    Raises: UsageError, when it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def read_document(path: Path, data: bytes, /, *, theirs: Callable[[Pointer], bool] | None = None) -> Reading:
    """Return what the bytes of the file hold, and all problems of their writing."""
    sha256 = hashlib.sha256(data).hexdigest()
    problems: list[Problem] = []
    text = _decode(path, data, problems)
    is_json = path.suffix == ".json"
    if len(data) > MAX_BYTES:
        text = ""
        problems.append(_at(path, text, 0, f"the file is larger than {MAX_BYTES >> 20} MiB", rule="E004"))
    elif is_json and not problems:
        problems.extend(_json_problems(path, text))
    unreadable = any(problem.message.startswith("not ") or problem.rule == "E004" for problem in problems)
    composer = _empty(path, text) if unreadable else _compose(path, text, problems, theirs)
    problems.extend(composer.problems)
    document = Document(path=path, text=text, value=composer.value, spans=composer.spans)
    return Reading(
        document=document,
        problems=tuple(sorted(problems, key=lambda problem: problem.span)),
        unreadable=frozenset(composer.unreadable),
        sha256=sha256,
    )


def pack_reading(reading: Reading) -> JsonValue:
    """Return a reading as JSON for the cache. Its text and digest are those of the file."""
    return {
        "document": pack_document(reading.document),
        "problems": [pack_problem(each) for each in reading.problems],
        "unreadable": [list(pointer) for pointer in reading.unreadable],
    }


def unpack_reading(path: Path, data: bytes, packed: JsonValue) -> Reading | None:
    """Return the reading of these bytes that ``pack_reading`` packed, or ``None`` when it is no such thing."""
    if not isinstance(packed, dict):
        return None
    try:
        problems, unreadable = packed["problems"], packed["unreadable"]
        if not isinstance(problems, list) or not isinstance(unreadable, list):
            return None
        text = data.decode("utf-8", "replace").removeprefix("\ufeff")
        return Reading(
            document=unpack_document(path, text, packed["document"]),
            problems=tuple(unpack_problem(each) for each in problems),
            unreadable=frozenset(
                tuple(part for part in pointer if isinstance(part, str | int))
                for pointer in unreadable
                if isinstance(pointer, list)
            ),
            sha256=hashlib.sha256(data).hexdigest(),
        )
    except (ValueError, TypeError, KeyError, IndexError):
        return None


def _at(path: Path, text: str, offset: int, message: str, *, rule: str = "E001", hint: str = "") -> Problem:
    return Problem(rule=rule, message=message, span=Places(path, text).span(offset, offset + 1), hint=hint)


def _decode(path: Path, data: bytes, problems: list[Problem]) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        problems.append(_at(path, good, len(good), f"not UTF-8: byte 0x{data[error.start]:02x}"))
        return good
    if text.startswith("\ufeff"):
        text = text[1:]
        problems.append(_at(path, text, 0, "the file begins with a byte order mark"))
    return text


def _json_problems(path: Path, text: str) -> list[Problem]:
    try:
        # Only its form counts here, and an int has at most 4300 digits.
        json.loads(text, parse_int=str, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return [_at(path, text, error.pos, f"not JSON: {error.msg[0].lower()}{error.msg[1:]}")]
    except RecursionError:
        return [_at(path, text, 0, "not readable JSON: too deep")]
    except _NoConstant as error:
        return [_at(path, text, text.find(str(error)), f"not JSON: {error} is no number")]
    return []


class _NoConstant(ValueError):
    """``NaN`` or ``Infinity``, which Python reads and JSON has not."""


def _no_constant(name: str) -> object:
    raise _NoConstant(name)


def _compose(path: Path, text: str, problems: list[Problem], theirs: Callable[[Pointer], bool] | None) -> Composer:
    """Read the text; where it breaks in a way we know, note the problem, mend as many characters, and read on."""
    # Inside the function for start-up time: not needed when the cache answers.
    from ruamel.yaml.error import YAMLError

    from dce_play.playbook.document.yaml_events import TooDeep, Unread, events_of

    mended = text.replace("\t", " ") if path.suffix == ".json" else text
    masked: set[int] = set()
    for _ in range(_MAX_REPAIRS):
        composer = Composer(path, mended, masked=masked, theirs=theirs)
        try:
            # The reader takes a last line without a line break for another one than with it.
            composer.compose(events_of(mended if mended.endswith("\n") else mended + "\n"))
        except TooLarge as error:
            problems.append(error.problem)
            break
        except TooDeep as error:
            problems.append(_at(path, text, error.position, "the document is too deep", rule="E004"))
            break
        except (YAMLError, Unread) as error:
            mended, problem = _mend(path, mended, error, masked=masked)
            if problem.rule != "E001":
                problems.append(problem)
                continue
            if not any(earlier.rule == "E003" for earlier in problems):  # a mended tab may still indent wrongly
                problems.append(problem)
            break
        else:
            return composer
    return _empty(path, text)


def _empty(path: Path, text: str) -> Composer:
    composer = Composer(path, text, masked=set())
    composer.spans[()] = NodeSpan(key=None, value=Places(path, text).span(0, 0))
    composer.unreadable.add(())
    return composer


def _mend(path: Path, text: str, error: Exception, *, masked: set[int]) -> tuple[str, Problem]:
    """Return the text with the broken place written in a readable way of the same length, and the problem."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    offset = min(int(getattr(error, "position", 0) if mark is None else mark.index), len(text))
    if text.startswith("\t", offset):
        end = offset + len(text[offset:]) - len(text[offset:].lstrip("\t"))
        span = Places(path, text).span(offset, end)
        problem = Problem(rule="E003", message="a tab cannot indent", span=span, replacement="  " * (end - offset))
        return text[:offset] + " " * (end - offset) + text[end:], problem
    for line_start in _lines_up_to(text, offset):
        line = text[line_start:].split("\n", 1)[0]
        found = _UNQUOTED.match(line)
        if found is None:
            continue
        start, end = line_start + found.start("value"), line_start + found.end("value")
        message = "an expression needs quotes, or YAML reads a mapping"
        quoted = in_quotes(text[start:end])
        problem = Problem(
            rule="E104",
            message=message,
            span=Places(path, text).span(start, end),
            hint=f"write {quoted}" if quoted else "",
            replacement=quoted,
        )
        masked.add(start)
        return text[:start] + '"' + "x" * (end - start - 2) + '"' + text[end:], problem
    from dce_play.playbook.document.yaml_words import in_our_words  # start-up time: its patterns

    what = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read")
    message, hint = in_our_words(what, text, offset)
    begun = getattr(error, "context_mark", None)
    if message.endswith("is not closed") and begun is not None:
        offset = min(int(begun.index), len(text))
    return text, _at(path, text, offset, f"not YAML: {message}", hint=hint)


def _lines_up_to(text: str, offset: int) -> list[int]:
    """Return where the line at the offset begins, and the line before it, where a parser may have gone astray."""
    last = text.rfind("\n", 0, offset) + 1
    return [last, text.rfind("\n", 0, max(last - 1, 0)) + 1] if last else [last]
