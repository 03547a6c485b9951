"""The run for programs: one event a line, nothing else, and ``run.end`` last."""

import json
from typing import TextIO

from dce_play.event_json import to_json
from dce_play.events import Event

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class JsonLines:
    """Writes every event as one line of JSON, as soon as it happens. Pure ASCII, whatever the terminal's encoding."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def accept(self, event: Event, /) -> None:
        """Write the event."""
        self._stream.write(_encode(to_json(event)) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is left to write."""
