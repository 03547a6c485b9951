"""Events as JSON: ``{"v": 1, "seq": 12, "ts": "…Z", "run": "…", "type": "step.end", …the body's fields…}``."""

from collections.abc import Mapping
from dataclasses import fields

from dce_play.events import BODIES, ChangeTold, ErrorFacts, Event, StepRef
from dce_play.facts import ItemFacts
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
    for name in _FIELDS[type(event.body)]:
        line[name] = _plain(getattr(event.body, name))
    return line


_FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(each.name for each in fields(kind)) for kind in (*BODIES, StepRef, ErrorFacts, ChangeTold, ItemFacts)
}


_LEAVES = frozenset({str, int, float, bool, type(None)})


def _plain(value: object) -> JsonValue:
    kind = type(value)
    if kind in _LEAVES:  # two thirds of all values; a run of a thousand steps asks this fifty thousand times
        return value  # type: ignore[return-value]  # mypy does not follow type() into a set
    if kind in _FIELDS:
        return {name: _plain(getattr(value, name)) for name in _FIELDS[kind]}
    match value:
        case str():
            return str(value)
        case int():
            return int(value)
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case tuple() | list():
            return [_plain(each) for each in value]
        case _:
            raise TypeError(f"an event cannot hold a {kind.__name__}")
