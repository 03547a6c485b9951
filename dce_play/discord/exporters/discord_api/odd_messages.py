"""Messages that cannot be read: named by id and place, and kept as they came where the operator says so.

One message of a new kind, or one that somebody's tool has mangled, need not stop its channel for ever. Nor may it be
left out without a word: whatever is not in the channel file is a line of the file beside it.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from dce_play.discord.exporters.discord_api.rest.answers import UnexpectedAnswer
from dce_play.discord.exporters.protocol import ExportFailed, OddMessage
from dce_play.snowflake import snowflake_time

_Made = TypeVar("_Made")
MOST_ODD = 1000
"""In one export. A channel that has more is not odd; it is another format."""


class UnreadableMessage(ExportFailed):
    """One message has another shape than messages have, or an id that no message can have yet."""

    def __init__(self, channel_id: str, odd: OddMessage, *, many: bool = False) -> None:
        more = f", the {MOST_ODD + 1}th such message" if many else ""
        super().__init__(
            f"message {odd.message_id} of channel {channel_id} cannot be read: {odd.reason}{more}",
            channel_id=channel_id,
            hint="to keep such messages as they came, beside the file, and go on: odd_messages: raw in the target",
        )
        self.odd = odd


class OddMessages:
    """The messages of one export that could not be read."""

    def __init__(self, channel_id: str, kept_in: Path | None, *, stop: bool) -> None:
        """``kept_in`` gets them, a line each; with ``stop`` or without a file the first one ends the export."""
        self._channel_id = channel_id
        self._kept_in = kept_in
        self._stop = stop
        self._found: dict[str, OddMessage] = {}

    @property
    def found(self) -> tuple[OddMessage, ...]:
        return tuple(self._found.values())

    def read(self, source: Mapping[str, Any], message_id: int, make: Callable[[], _Made]) -> _Made | None:
        """Return the message that ``make`` makes, or ``None`` for one that it cannot read and that is kept.

        Raises: UnreadableMessage.
        """
        try:
            return make()
        except UnexpectedAnswer as error:
            reason = error.what
        except (ValueError, ArithmeticError, LookupError, TypeError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"[:200]
        self.meet(source, message_id, reason)
        return None

    def refuse_future(self, source: Mapping[str, Any], message_id: int) -> None:
        """Take a message whose id lies in the future: were it a cursor, later messages would never be asked for."""
        made = _when(message_id)
        self.meet(source, message_id, f"its id is of {made}, which is later than this machine's clock by over a day")

    def meet(self, source: Mapping[str, Any], message_id: int, reason: str, *, goes_on: bool = False) -> None:
        """Keep a message as it came. ``goes_on`` does so whatever the policy.

        Raises: UnreadableMessage.
        """
        odd = OddMessage(message_id=str(message_id), reason=reason)
        if odd.message_id in self._found:
            return
        if self._kept_in is None or (self._stop and not goes_on):
            raise UnreadableMessage(self._channel_id, odd)
        if len(self._found) >= MOST_ODD:
            raise UnreadableMessage(self._channel_id, odd, many=True)
        self._found[odd.message_id] = odd
        line = json.dumps({"id": odd.message_id, "reason": reason, "message": source}, separators=(",", ":"))
        with self._kept_in.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _when(message_id: int) -> str:
    try:
        return f"{snowflake_time(str(message_id)):%Y-%m-%d}"
    except OverflowError:
        return "a year beyond 9999"
