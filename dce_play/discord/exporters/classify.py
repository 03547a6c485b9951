"""What the end of a DiscordChatExporter.Cli process means: its exit status and exact forms of its lines.

A word somewhere in the output decides nothing: a channel may be called ``boom`` or ``failed: forbidden``, and an id
may contain 403. DCE writes names in front of a reason, so every form is looked for at a line's end.

Source: docs/reference/exporter-dce-cli.md, "How its ends are read".
"""

import re
from dataclasses import dataclass

from dce_play.discord.exporters.protocol import (
    AuthenticationFailed,
    ChannelSkipped,
    DiskFull,
    ExportAborted,
    ExportError,
    ExportFailed,
    SkipReason,
)

ABORTED = frozenset({130, 134, 137, 139, 143})
"""Ended by a signal: interrupted, aborted, killed, crashed, terminated."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_NAMED = r"(?:^|: )"  # a message stands alone, or behind a name or a .NET exception's type

_BAD_TOKEN = re.compile(_NAMED + r"Authentication token is invalid\.$")
_NO_INTENT = re.compile(_NAMED + r"Provided bot account is missing the MESSAGE_CONTENT privileged intent\.$")
_REFUSED = re.compile(_NAMED + r"Request to '(?P<path>[^']*)' failed: (?P<how>forbidden|not found)\.$")
_WRONG_KIND = re.compile(
    _NAMED + r"Request to 'channels/[^']*' failed: bad request\. Response content: \{.*\"code\": ?50024\b[^'\"]*\}\.?$"
)
_FORUM = re.compile(r"is a forum and cannot be exported directly\b[^']*$")
_DISK_FULL = re.compile(_NAMED + r"No space left on device(?: : '[^']*')?\.?$")
EMPTY_WORDS = (
    r"does not contain any messages(?: within the specified period)?(?:; an empty file will be created)?\.$",  # 2.41 on
    r"does not contain any matching messages within the specified period\.$",  # 2.34 to 2.44
    r"Channel is empty or contains no messages for the specified period\.?$",  # 2.38 to 2.40
    r"Channel '.*' contains no messages for the specified period\.$",  # 2.37 and before
    _NAMED + r"No messages for the specified period\.$",
)
"""How each version says that there is nothing to export: as a failure up to 2.44, as a warning from 2.45 on."""
_EMPTY = re.compile("|".join(f"(?:{words})" for words in EMPTY_WORDS))
_CANCELLED = re.compile(
    r"^(?:Unhandled exception\. )?System\.(?:Threading\.Tasks\.TaskCanceled|OperationCanceled)Exception\b"
)
_NO_CHANNELS = re.compile(r"^(?:Exporting|Fetched) 0 channel\(s\)\.")
_FRAME = re.compile(r"^\s+at |^--- End of |^\s*$")
_FRAMEWORK = frozenset({"Export failed.", "Failed to export the following channel(s):"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one DCE process ended, and all that it said."""

    exit_code: int
    stdout: str
    stderr: str

    def error_lines(self) -> list[str]:
        """Return standard error's lines without colours."""
        return [_ANSI.sub("", line).rstrip() for line in self.stderr.splitlines()]

    def output_lines(self) -> list[str]:
        """Return standard output's lines without colours."""
        return [_ANSI.sub("", line).strip() for line in self.stdout.splitlines()]


def is_empty(ending: Ending) -> bool:
    """Return whether DCE found nothing to export in the channel, as a warning or, before 2.44, as a failure."""
    said_so = any(_EMPTY.search(line) for line in ending.error_lines())
    return said_so and ending.exit_code in {0, 1} and _refusal("", ending) is None


def export_error(channel_id: str, ending: Ending) -> ExportError | None:
    """Return what went wrong with one channel's export, or ``None`` when DCE says that nothing did."""
    if ending.exit_code in ABORTED:
        return ExportAborted(channel_id, ending.exit_code)
    refusal = _refusal(channel_id, ending)
    if refusal is not None:
        return refusal
    if ending.exit_code == 0 or is_empty(ending):
        return None
    if any(_CANCELLED.match(line) for line in ending.error_lines()):
        return ExportAborted(channel_id, ending.exit_code)
    if any(_NO_CHANNELS.match(line) for line in ending.output_lines()):
        return ChannelSkipped(channel_id, SkipReason.FORUM, "it has no channels to export")
    return ExportFailed(
        f"export of channel {channel_id} failed (exit {ending.exit_code}): {gist(ending)}", channel_id=channel_id
    )


def listing_error(what: str, ending: Ending) -> ExportError | None:
    """Return what went wrong with a listing, or ``None``."""
    if ending.exit_code == 0:
        return None
    if any(_BAD_TOKEN.search(line) for line in ending.error_lines()):
        return _dead_token()
    return ExportFailed(f"listing {what} failed (exit {ending.exit_code}): {gist(ending)}")


def is_stack(line: str) -> bool:
    """Return whether a line is of .NET's stack, which tells an operator nothing."""
    return _FRAME.match(_ANSI.sub("", line)) is not None


def gist(ending: Ending) -> str:
    """Return the lines that tell most, on one line: what came last on standard error, without the stack."""
    said = [line for line in ending.error_lines() if not _FRAME.match(line) and line not in _FRAMEWORK]
    said = said or [line for line in ending.output_lines() if line]
    return _CONTROL.sub(" ", " | ".join(said[-3:]))[:500] or "it said nothing"


def _refusal(channel_id: str, ending: Ending) -> ExportError | None:
    for line in ending.error_lines():
        refused = _REFUSED.search(line)
        if refused and not refused["path"].startswith("channels/"):
            return ExportFailed(
                f"request to '{refused['path']}' failed: {refused['how']}; the export of channel {channel_id} needs it",
                channel_id=channel_id,
            )
        if refused:
            reason = SkipReason.FORBIDDEN if refused["how"] == "forbidden" else SkipReason.NOT_FOUND
            return ChannelSkipped(channel_id, reason)
        if _WRONG_KIND.search(line):
            return ChannelSkipped(channel_id, SkipReason.FORUM, "it is of a kind without messages of its own")
        if _BAD_TOKEN.search(line):
            return _dead_token()
        if _NO_INTENT.search(line):
            return ExportFailed(
                "the bot may not read messages: its MESSAGE_CONTENT intent is off",
                channel_id=channel_id,
                hint="switch the intent on in Discord's developer portal",
            )
        if _FORUM.search(line):
            return ChannelSkipped(channel_id, SkipReason.FORUM)
        if _DISK_FULL.search(line):
            return DiskFull(f"no space left for the export of channel {channel_id}", channel_id=channel_id)
    return None


def _dead_token() -> AuthenticationFailed:
    return AuthenticationFailed(
        "Authentication token is invalid", hint="get a new token, then: dce-play auth set --force"
    )
