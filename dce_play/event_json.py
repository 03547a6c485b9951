"""Events as JSON and back: ``{"v": 1, "seq": 12, "ts": "…Z", "run": "…", "type": "step.end", …the body's fields…}``."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from dce_play.events import BODIES, Body, ChangeTold, ErrorFacts, Event, Mode, Outcome, Status, StepRef
from dce_play.facts import ItemFacts, Reached
from dce_play.source import JsonValue

EVENT_VERSION = 1


def to_json(event: Event, /) -> dict[str, JsonValue]:
    """Return the event as the JSON object that every machine-readable output shows."""
    line: dict[str, JsonValue] = {
        "v": EVENT_VERSION,
        "seq": event.seq,
        "ts": event.ts,
        "run": event.run,
        "type": event.body.TYPE,
    }
    body = event.body
    for name in _FIELDS[type(body)]:
        value = getattr(body, name)
        line[name] = value if type(value) in _LEAVES else _plain(value)
    return line


_FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(each.name for each in fields(kind))
    for kind in (*BODIES, StepRef, ErrorFacts, ChangeTold, ItemFacts, Reached)
}


_LEAVES = frozenset({str, int, float, bool, type(None)})


def _plain(value: object) -> JsonValue:
    kind = type(value)
    if kind in _LEAVES:  # two thirds of all values; a run of a thousand steps asks this fifty thousand times
        return value  # type: ignore[return-value]  # mypy does not follow type() into a set
    if kind in _FIELDS:
        return {name: _plain(getattr(value, name)) for name in _FIELDS[kind]}
    match value:
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case str():
            return str(value)
        case int():
            return int(value)
        case tuple() | list():
            return [_plain(each) for each in value]
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case _:
            raise TypeError(f"an event cannot hold a {kind.__name__}")


def from_json(line: Mapping[str, JsonValue], /) -> Body:
    """Return the body of the event that ``to_json`` told.

    Raises: ValueError, for what is no event of ours.
    """
    kind = _KINDS.get(str(line.get("type")))
    if kind is None:
        raise ValueError(f"no event has the type {line.get('type')!r}")
    try:
        made = {name: _READERS.get(name, _as_it_is)(line[name]) for name in _FIELDS[kind] if name in line}
        body: Body = kind(**made)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"an event of the type {kind.TYPE} is not whole: {error}") from error
    return body


_KINDS: dict[str, type[Body]] = {kind.TYPE: kind for kind in BODIES}


_STATUSES = frozenset(str(status) for status in Status)


def _as_it_is(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_READERS: dict[str, Any] = {
    "step": lambda value: StepRef(**value),
    "error": lambda value: None if value is None else ErrorFacts(**value),
    "facts": lambda value: None if value is None else ItemFacts(**value),
    "reached": lambda value: None if value is None else Reached(**value),
    "changes": lambda value: tuple(ChangeTold(**each) for each in value),
    "status": lambda value: Status(value) if value in _STATUSES else value,
    "mode": Mode,
    "outcome": Outcome,
    "outputs": dict,
    "value": lambda value: value,
}
"""How the fields that are no plain values are read; ``status`` of an item is any word."""
