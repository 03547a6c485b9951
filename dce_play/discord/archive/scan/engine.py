"""Reading the ids out of a stretch of messages: one method, three libraries.

Every engine accepts JSON only. They differ in speed, and in what legal JSON they refuse (lone surrogate escapes,
numbers beyond a double); what one refuses the scanner gives to ``strict_json``. So a fast engine may be too strict,
never too lax.
"""

from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Any, Protocol

from dce_play.discord.archive.scan.strict_json import NotJson, is_too_deep, strict_value

_FACTS = itemgetter("id", "timestamp")


class NotMessages(ValueError):
    """Bytes that are not a JSON array of objects that all have an id and a timestamp, both strings."""


class Engine(Protocol):
    """A JSON parser. ``chunk_bytes`` is the size of stretch at which it is fastest."""

    @property
    def name(self) -> str: ...

    @property
    def chunk_bytes(self) -> int: ...

    def ids(self, array: memoryview, /) -> list[str]:
        """Return the messages' ids in order, having read every byte of the array.

        Raises: NotMessages.
        """


class SimdjsonEngine:
    """The fastest: 1.1 to 1.4 GB/s."""

    name = "simdjson"
    chunk_bytes = 256 << 10

    def __init__(self) -> None:
        import simdjson  # a compiled package: 5 ms that most commands never need

        self._new_parser = simdjson.Parser
        self._parser = simdjson.Parser()

    def ids(self, array: memoryview, /) -> list[str]:
        try:
            messages: Any = self._parser.parse(array)
            return _checked(list(map(_FACTS, messages)))
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            # A parser is not used again while anything of its last document is alive, and the error keeps it alive.
            self._parser = self._new_parser()
            raise NotMessages(str(error)) from None


class MsgspecEngine:
    """Half as fast, on machines without the first."""

    name = "msgspec"
    chunk_bytes = 64 << 10

    def __init__(self) -> None:
        import msgspec  # a compiled package: 10 ms that most commands never need

        message: Any = msgspec.defstruct("Message", [("id", str), ("timestamp", str)], gc=False)
        self._decode: Callable[[memoryview], list[Any]] = msgspec.json.Decoder(list[message]).decode

    def ids(self, array: memoryview, /) -> list[str]:
        if is_too_deep(bytes(array)):
            raise NotMessages("nested too deep")
        try:
            str(array, "utf-8")  # it does not look at the encoding of strings that it skips
            return [message.id for message in self._decode(array)]
        except (ValueError, RecursionError) as error:
            raise NotMessages(str(error)) from None


class JsonEngine:
    """Python's own, a sixth as fast; always there."""

    name = "json"
    chunk_bytes = 128 << 10

    def ids(self, array: memoryview, /) -> list[str]:
        try:
            value: Any = strict_value(bytes(array))
            return _checked(list(map(_FACTS, value)))
        except (NotJson, KeyError, TypeError) as error:
            raise NotMessages(str(error)) from None


ENGINES: tuple[type[SimdjsonEngine] | type[MsgspecEngine] | type[JsonEngine], ...] = (
    SimdjsonEngine,
    MsgspecEngine,
    JsonEngine,
)
"""Fastest first."""


@cache
def fastest_engine() -> type[SimdjsonEngine] | type[MsgspecEngine] | type[JsonEngine]:
    """Return the fastest engine that this machine has. Make one for each scan: engines keep buffers."""
    for engine in ENGINES:
        try:
            engine()
        except ImportError:
            continue
        return engine
    return JsonEngine


def _checked(facts: list[tuple[Any, Any]]) -> list[str]:
    """Return the ids. Raises: TypeError, where an id or a timestamp is not a string."""
    if not facts:
        return []
    ids, timestamps = zip(*facts, strict=True)
    "".join(ids)
    "".join(timestamps)
    return list(ids)
