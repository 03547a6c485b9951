"""The JSON Schema of an event, made from the event classes; ``schemas/event.schema.json`` is this, written down."""

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from dce_play.event_json import EVENT_VERSION
from dce_play.events import BODIES, Body


def event_schema() -> dict[str, Any]:
    """Return the schema, draft-07. Closed: a property that nobody declared is an error."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "dce-play event",
        "description": "One line of `--output jsonl` and of a run folder's events.jsonl.",
        "oneOf": [_body(kind) for kind in BODIES],
    }


def _body(kind: type[Body]) -> dict[str, Any]:
    envelope = {
        "v": {"const": EVENT_VERSION},
        "seq": {"type": "integer", "minimum": 1, "description": "Counts from 1 without gaps."},
        "ts": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$"},
        "run": {"type": "string", "description": "The run's id; empty when it never got one."},
        "type": {"const": kind.TYPE},
    }
    own = _object(kind)
    return {
        "title": kind.TYPE,
        "description": _first_line(kind),
        "type": "object",
        "properties": envelope | own["properties"],
        "required": [*envelope, *own["required"]],
        "additionalProperties": False,
    }


def _object(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    names = [each.name for each in fields(kind)]
    return {
        "type": "object",
        "description": _first_line(kind),
        "properties": {name: _value(hints[name]) for name in names},
        "required": names,
        "additionalProperties": False,
    }


def _value(hint: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        # JsonValue is the only union besides "or nothing", and anything goes where it stands
        rest = [each for each in arguments if each is not type(None)]
        return {"anyOf": [_value(rest[0]), {"type": "null"}]} if len(rest) == 1 else {}
    if origin is tuple:
        return {"type": "array", "items": _value(arguments[0])}
    if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return {"type": "object", "additionalProperties": _value(arguments[1])}
    if isinstance(hint, type):
        if issubclass(hint, Enum):
            return {"enum": [str(member.value) for member in hint]}
        if is_dataclass(hint):
            return _object(hint)
    return dict(_SIMPLE.get(hint, {}))


_SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
}


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().split("\n")[0]
