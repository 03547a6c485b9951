"""What an answer of Discord's means: one table for every request.

Only Discord's own JSON speaks about channels and guilds. A page of a proxy or of the edge in front of Discord, and
codes that are about the client or the account, say nothing about the thing that was asked for.

Source: discord.com/developers/docs/topics/opcodes-and-status-codes, "JSON".
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from dce_play.discord.exporters.discord_api.rest.transport import Answer


class Meaning(StrEnum):
    """What to do about an answer."""

    ANSWER = "answer"
    """It is what was asked for, once its shape is found right."""
    WAIT = "wait"
    """Ask again after the time it names, else after a growing pause."""
    TOKEN_REFUSED = "token refused"  # noqa: S105 - no secret
    FORBIDDEN = "forbidden"
    GONE = "gone"
    WRONG_KIND = "wrong kind"
    """A channel of a kind that has no messages of its own."""
    REFUSED = "refused"
    """Discord will not do this, however often it is asked."""
    BLOCKED = "blocked"
    """The client or its account is kept out, or somebody else answers in Discord's place: ask again a few times."""


CODES: Mapping[int, Meaning] = {
    10002: Meaning.REFUSED,  # unknown application
    20001: Meaning.REFUSED,  # bots cannot use this endpoint
    20002: Meaning.REFUSED,  # only bots can use this endpoint
    20016: Meaning.WAIT,  # slow mode
    20022: Meaning.WAIT,  # announcement rate limit
    20028: Meaning.WAIT,  # channel write rate limit
    20029: Meaning.WAIT,  # server write rate limit
    40001: Meaning.BLOCKED,  # unauthorized: provide a valid token
    40002: Meaning.BLOCKED,  # verify your account
    40062: Meaning.WAIT,  # service resource is rate limited
    40333: Meaning.BLOCKED,  # the edge takes us for abuse
    50014: Meaning.BLOCKED,  # invalid token, told with 403
    50024: Meaning.WRONG_KIND,  # cannot execute action on this channel type
    60003: Meaning.BLOCKED,  # two-factor authentication is required
    110000: Meaning.WAIT,  # the search index is not yet available
    130000: Meaning.WAIT,  # overloaded
}
"""Error codes that mean the same whatever the status they come with. All others are told by the status."""

STATUSES: Mapping[int, Meaning] = {
    202: Meaning.WAIT,
    401: Meaning.TOKEN_REFUSED,
    403: Meaning.FORBIDDEN,
    404: Meaning.GONE,
    408: Meaning.WAIT,
    429: Meaning.WAIT,
}


def meaning_of(answer: Answer) -> Meaning:
    """Return what an answer means."""
    status = answer.status
    if status == 401:
        # A proxy's own 401 is a page; Discord's is JSON, and some stand-ins for it say nothing at all.
        return Meaning.TOKEN_REFUSED if answer.is_json or answer.is_blank else Meaning.BLOCKED
    if status >= 500 or status in {408, 429}:
        return Meaning.WAIT
    if not 200 <= status < 300 and not _is_discords(answer.body):
        return Meaning.BLOCKED
    code = error_code(answer)
    if code is not None and code in CODES:
        return CODES[code]
    if status in STATUSES:
        return STATUSES[status]
    if 200 <= status < 300:
        return Meaning.ANSWER if answer.is_json else Meaning.WAIT
    return Meaning.REFUSED


def error_code(answer: Answer) -> int | None:
    """Return Discord's error code; 0 and none are the same."""
    if not isinstance(answer.body, dict):
        return None
    code = answer.body.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) and code else None


def reason_of(answer: Answer) -> str:
    """Return what an answer that is no help says, for people."""
    code = error_code(answer)
    if code is not None:
        return f"HTTP {answer.status}, code {code}"
    if answer.is_json or answer.is_blank:
        return f"HTTP {answer.status}"
    if 200 <= answer.status < 300:
        return "an answer that is not JSON"
    return f"HTTP {answer.status} with a page that is not Discord's"


def _is_discords(body: Any) -> bool:
    """Return whether a refusal is in Discord's form: an object with a message, a code, or the fields at fault."""
    if not isinstance(body, dict):
        return False
    return isinstance(body.get("message"), str) or isinstance(body.get("code"), int) or "errors" in body
