"""Finding a target's guild by parts of its name."""

from collections.abc import Sequence
from typing import ClassVar

from dce_play.discord.targets.model import Target
from dce_play.errors import DcePlayError, ExitCode
from dce_play.snowflake import GuildId


class GuildNotFound(DcePlayError):
    """No guild, or more than one, has a name that fits the target's patterns."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID


def match_guilds(target: Target, guilds: Sequence[tuple[GuildId, str]]) -> tuple[GuildId, ...]:
    """Return the target's guild ids: those it names, else the one whose name fits one of its patterns.

    Names and patterns are compared in lower case by their letters and digits, of any script; a match is equality or
    one inside the other. A name or pattern without any letter or digit matches nothing.
    Raises: GuildNotFound.
    Source: docs/contract.md, R-1.09.
    """
    if target.guild_ids:
        return target.guild_ids
    patterns = [reduced for reduced in map(_reduce, target.guild_name_patterns) if reduced]
    found = [guild_id for guild_id, name in guilds if _fits(_reduce(name), patterns)]
    if len(found) == 1:
        return tuple(found)
    hint = f"give target {target.name!r} explicit guild_ids"
    if not found:
        tried = ", ".join(repr(pattern) for pattern in target.guild_name_patterns) or "no patterns"
        raise GuildNotFound(f"target {target.name!r} matched no guild (tried {tried})", hint=hint)
    ids = ", ".join(found)
    raise GuildNotFound(
        f"target {target.name!r} matched multiple guilds ({ids}). Configure explicit guild_ids to make it safe.",
        hint=hint,
    )


def _reduce(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return bool(name) and any(pattern in name or name in pattern for pattern in patterns)
