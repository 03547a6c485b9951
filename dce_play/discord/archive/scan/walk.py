"""Messages one by one, by their tokens: any layout, and exactly how far a damaged file is whole."""

import json
from dataclasses import dataclass

from dce_play.discord.archive.scan.damage import Damage
from dce_play.discord.archive.scan.strict_json import strict_value
from dce_play.discord.archive.scan.tokens import TooDeep, skip_space, value_end
from dce_play.snowflake import is_number

_CLOSERS = {b",": True, b"]": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why a walk cannot go on, and where."""

    at: int
    reason: str
    damage: Damage


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What a walk over some bytes found. Offsets count from the start of the bytes."""

    elements: tuple[tuple[int, int], ...]
    """Where the whole elements stand. The last one may lack its comma when the bytes end there."""
    resume: int
    """Just past the last comma: where the next walk starts."""
    end: int | None
    """Where the ``]`` of the array is; ``None`` when it has not come yet."""
    stop: Stop | None
    """Set when something stands where no message can; ``None`` also when the bytes just end."""


def walk(data: bytes, *, first: bool, whole: bool) -> Walk:
    """Walk over elements of an array, from just past its ``[`` (``first``) or past a comma.

    ``whole`` says that nothing follows these bytes: an element that ends with them is whole, too.
    """
    elements: list[tuple[int, int]] = []
    stop: Stop | None
    resume = 0
    while True:
        at = skip_space(data, resume)
        if first and not elements and data[at : at + 1] == b"]":
            return Walk(elements=(), resume=resume, end=at, stop=None)
        if at == len(data):
            return Walk(elements=tuple(elements), resume=resume, end=None, stop=None)
        if data[at : at + 1] in {b"]", b"}", b",", b":"} or data[at] < 0x20:
            stop = Stop(at=at, reason="no message where one must follow", damage=Damage.NOT_JSON)
            return Walk(elements=tuple(elements), resume=resume, end=None, stop=stop)
        try:
            end = value_end(data, at)
        except TooDeep:
            stop = Stop(at=at, reason="a message nested too deep", damage=Damage.NOT_JSON)
            return Walk(elements=tuple(elements), resume=resume, end=None, stop=stop)
        if end is None:
            return Walk(elements=tuple(elements), resume=resume, end=None, stop=None)
        after = skip_space(data, end)
        if after == len(data) and not whole:
            return Walk(elements=tuple(elements), resume=resume, end=None, stop=None)
        elements.append((at, end))
        goes_on = _CLOSERS.get(data[after : after + 1])
        if goes_on is None:
            stop = None
            if after < len(data):
                stop = Stop(at=after, reason="neither a comma nor the end of the array", damage=Damage.NOT_JSON)
            return Walk(elements=tuple(elements), resume=end, end=None, stop=stop)
        if not goes_on:
            return Walk(elements=tuple(elements), resume=end, end=after, stop=None)
        resume = after + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A message that is JSON but not what a message must be."""

    offset: int
    reason: str
    without: str
    """``id``, ``timestamp``, or empty when it is no object at all."""


def message_id(data: bytes, offset: int) -> tuple[str | None, Flaw | None]:
    """Return a message's id, and what it lacks. ``offset`` is where it stands.

    Raises: NotJson.
    """
    value = strict_value(data)
    if not isinstance(value, dict):
        return None, Flaw(offset=offset, reason="a message that is not an object", without="")
    identifier = value.get("id")
    if not (isinstance(identifier, str) and is_number(identifier)):
        shown = json.dumps(identifier)[:40] if isinstance(identifier, str) else "missing or not a string"
        return None, Flaw(offset=offset, reason=f"a message without a valid id: {shown}", without="id")
    timestamp = value.get("timestamp")
    if not (isinstance(timestamp, str) and timestamp):
        return identifier, Flaw(offset=offset, reason="a message without a timestamp", without="timestamp")
    return identifier, None
