"""The sentences that stand for messages which Discord itself makes: joins, pins, calls."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from dce_play.discord.exporters.discord_api.convert.entities import User
from dce_play.discord.exporters.discord_api.convert.timestamps import moment_of, parse
from dce_play.discord.exporters.discord_api.rest.answers import filled_text, optional_object, optional_text, text

_FIXED = {
    5: "Changed the channel icon.",
    6: "Pinned a message.",
    7: "Joined the server.",
    18: "Started a thread.",
}


def is_system(type_number: int) -> bool:
    """Return whether a message of this type is made by Discord."""
    return 1 <= type_number <= 18


def system_content(type_number: int, source: Mapping[str, Any], author: User, mentioned: list[User]) -> str:
    """Return the sentence for a message that Discord made; its own content where there is no sentence."""
    match type_number:
        case 1:
            return f"Added {mentioned[0].display_name} to the group." if mentioned else "Added a recipient."
        case 2:
            if not mentioned:
                return "Removed a recipient."
            if mentioned[0].id == author.id:
                return "Left the group."
            return f"Removed {mentioned[0].display_name} from the group."
        case 3:
            return f"Started a call that lasted {_call_minutes(source):,} minutes."
        case 4:
            name = filled_text(source, "content")
            return "Changed the channel name." if name is None else f"Changed the channel name: {name}"
        case _:
            return _FIXED.get(type_number) or optional_text(source, "content") or ""


def _call_minutes(source: Mapping[str, Any]) -> int:
    ended = moment_of(filled_text(optional_object(source, "call") or {}, "ended_timestamp") or "")
    if ended is None:
        return 0
    lasted = ended - parse(text(source, "timestamp"))
    return int(Decimal(lasted.total_seconds() / 60).quantize(Decimal(1), ROUND_HALF_UP))
