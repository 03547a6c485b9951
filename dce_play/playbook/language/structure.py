"""Checks a document against its JSON Schema, and tells each mistake once, in words, at its place.

jsonschema decides whether a document is right, unless it surely is, see ``fits``. Its errors are turned into problems
here: the schema is made so that each mistake breaks one rule of one object (nothing is chosen among objects), and where
a value may also be an expression, only what is wrong with the plain value is told.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dce_play.playbook.document.document import Reading
from dce_play.playbook.language.correction import likely
from dce_play.playbook.language.fits import surely_fits
from dce_play.playbook.language.grammar import FOREIGN_WORDS, WORDS
from dce_play.playbook.types.shapes import with_article
from dce_play.source import Document, Pointer, Problem, did_you_mean, nearest, one_slip

_UNKNOWN_KEY = {"params": "E111", "document": "E101", "statement": "E101", "param": "E101"}
_MISSING_KEY = {"params": "E111", "document": "E102", "statement": "E102", "param": "E102"}
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def check(reading: Reading, schema: Mapping[str, Any]) -> list[Problem]:
    """Return all that is wrong with the document's shape."""
    if () in reading.unreadable or surely_fits(reading.document.value, schema):
        return []
    # Inside the function for start-up time: jsonschema takes 110 ms to import.
    from jsonschema import Draft7Validator

    validator = Draft7Validator(dict(schema))
    problems: list[Problem] = []
    for error in validator.iter_errors(reading.document.value):
        problems.extend(_problems(error, reading.document))
    return [problem for problem in problems if not _is_unreadable(problem, reading)]


def _is_unreadable(problem: Problem, reading: Reading) -> bool:
    spans = (reading.document.spans.get(pointer) for pointer in reading.unreadable)
    return any(problem.span == node.value for node in spans if node is not None)


def _problems(error: Any, document: Document) -> Iterator[Problem]:
    pointer: Pointer = tuple(error.absolute_path)
    match error.validator:
        case "additionalProperties" if isinstance(error.validator_value, bool):
            yield from _unknown_keys(error, document, pointer)
        case "required":
            yield from _missing_key(error, document, pointer)
        case "propertyNames":
            bad = [key for key in error.instance if any(each.instance == key for each in [error, *error.context])]
            name = error.instance if isinstance(error.instance, str) else (bad or [""])[0]
            message = f'"{name}" is not a name: lower-case letters, digits and _'
            yield Problem(rule="E103", message=message, span=document.key_span((*pointer, name)))
        case "anyOf":
            yield from _of_plain_value(error, document)
        case "pattern" if error.parent is None and _is_name_check(error):
            message = f'"{error.instance}" is not a name: lower-case letters, digits and _'
            yield Problem(rule="E103", message=message, span=document.key_span((*pointer, error.instance)))
        case _:
            span = document.value_span(pointer)
            words = [word for word in error.schema.get("enum", ()) if isinstance(word, str)]
            hint = did_you_mean(error.instance, words) if _is_wrong_word(error) else ""
            yield Problem(rule="E103", message=wrong_value(error), span=span, hint=hint)


def _is_name_check(error: Any) -> bool:
    return "propertyNames" in error.absolute_schema_path


def _is_wrong_word(error: Any) -> bool:
    return error.validator == "enum" and isinstance(error.instance, str)


def _of_plain_value(error: Any, document: Document) -> Iterator[Problem]:
    """Tell what is wrong with the branch of the value's own type, or with the first."""
    branches: dict[int, list[Any]] = {}
    for each in error.context:
        branches.setdefault(each.schema_path[0], []).append(each)
    own_type = [
        errors
        for errors in branches.values()
        if errors[0].schema.get(WORDS) != "{{ expression }}"
        and not any(each.validator == "type" and not each.path for each in errors)
    ]
    chosen = own_type[0] if own_type else branches[min(branches)][:1]
    for each in chosen:
        yield from _problems(each, document)


def _unknown_keys(error: Any, document: Document, pointer: Pointer) -> Iterator[Problem]:
    known = error.schema["properties"]
    kind = error.schema.get("$comment", "document")
    for name in error.instance:
        if name in known:
            continue
        rule, what, candidates = _UNKNOWN_KEY.get(kind, "E101"), "key", list(known)
        if kind == "params":
            what = "param"
        elif kind == "statement" and "." in name:
            rule, what, candidates = "E109", "step", [each for each in known if "." in each]
        elif kind == "statement":
            what, candidates = "keyword", [each for each in known if "." not in each or nearest(name, [each])]
        yield Problem(
            rule=rule,
            message=f'no step named "{name}"' if what == "step" else f'unknown {what} "{name}"',
            span=document.key_span((*pointer, name)),
            hint=unknown_hint(name, candidates),
            replacement=one_slip(name, candidates),
        )


def unknown_hint(name: str, candidates: Iterable[str]) -> str:
    """Return what to write in place of an unknown key."""
    known = list(candidates)
    close = likely(name, known)
    if close is not None:
        return f'did you mean "{close}"?'
    if name in FOREIGN_WORDS:
        return FOREIGN_WORDS[name]
    if "." in name:
        known = [each for each in known if each.split(".")[0] == name.split(".", maxsplit=1)[0]]
        return did_you_mean(name, known) if known else "dce-play steps lists what there is"
    return did_you_mean(name, known)


def _missing_key(error: Any, document: Document, pointer: Pointer) -> Iterator[Problem]:
    kind = error.schema.get("$comment", "document")
    present = error.instance if isinstance(error.instance, dict) else {}
    unknown = [name for name in present if name not in error.schema["properties"]]
    for name in error.validator_value:
        # jsonschema gives one error for each missing name; its message is the only place that tells which.
        if name in present or not error.message.startswith(repr(name)) or any(likely(each, [name]) for each in unknown):
            continue
        what = "param" if kind == "params" else "key"
        message = f'{what} "{name}" is missing'
        yield Problem(rule=_MISSING_KEY.get(kind, "E102"), message=message, span=_head(document, pointer))


def _head(document: Document, pointer: Pointer) -> Any:
    """Return the place of the key of an object, or of its first key: the whole of it would be many lines."""
    node = document.spans.get(pointer)
    if node is not None and node.key is None:
        value = document.value
        for part in pointer:
            value = value[part]  # type: ignore[index]  # the pointer comes from this document
        first = next(iter(value), None) if isinstance(value, dict) else None
        return document.key_span((*pointer, first)) if first is not None else node.value
    return document.key_span(pointer)


def wrong_value(error: Any) -> str:
    """Return what is wrong with a value, from a jsonschema error about it, without jsonschema's own words."""
    shown = show(error.instance)
    title = error.schema.get(WORDS, "")
    match error.validator:
        case "type":
            return f"{shown} is not {with_article(title) if title else _kinds(error.validator_value)}"
        case "enum":
            return f"{shown} is not {with_article(title)}" if title else f"{shown} is not allowed here"
        case "pattern" if title in {"duration", "size", "snowflake"} or title.startswith(("name", "condition")):
            return f"{shown} is not {with_article(title)}"
        case "pattern":
            return f"{shown} does not match {error.validator_value}"
        case "minimum":
            return f"{shown} is below {error.validator_value}"
        case "maximum":
            return f"{shown} is above {error.validator_value}"
        case "minItems" | "minLength":
            return "this is empty"
        case _:
            return f"{shown} is not {with_article(title)}" if title else f"{shown} does not fit here"


def _kinds(types: str | list[str]) -> str:
    """Return JSON Schema's types in our words: a mapping, or text."""
    return " or ".join(_TYPES.get(each, each) for each in ([types] if isinstance(types, str) else types))


def show(value: object) -> str:
    """Return a value as people read it in a message, cut to one line."""
    if isinstance(value, dict | list) and value:
        return "a mapping" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + '…"'
