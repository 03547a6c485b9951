"""Each end of DCE that was measured is read for what it is, and no word in a name or id misleads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.exporters.classify import Ending, export_error, gist, is_empty, listing_error
from dce_play.discord.exporters.protocol import (
    AuthenticationFailed,
    ChannelSkipped,
    DiskFull,
    ExportAborted,
    ExportError,
    ExportFailed,
    SkipReason,
)

CHANNEL = "111"


def ended(exit_code: int, stderr: str = "", stdout: str = "") -> Ending:
    return Ending(exit_code=exit_code, stdout=stdout, stderr=stderr)


def error_of(exit_code: int, stderr: str = "", stdout: str = "") -> ExportError | None:
    return export_error(CHANNEL, ended(exit_code, stderr, stdout))


def test_a_good_end_is_no_error() -> None:
    assert error_of(0, "", "Successfully exported 1 channel(s).") is None


@pytest.mark.contract("R-3.15", "S-17", "S-18", "D-65", "F-D7")
@pytest.mark.parametrize(
    ("exit_code", "out_of_memory"), [(130, False), (143, False), (134, True), (137, True), (139, True)]
)
def test_a_signal_is_an_abort_and_tells_memory_from_a_stop(exit_code: int, *, out_of_memory: bool) -> None:
    error = error_of(exit_code, "Request to 'channels/1' failed: forbidden.")
    assert isinstance(error, ExportAborted)
    assert error.exit_code_seen == exit_code
    assert error.out_of_memory is out_of_memory


@pytest.mark.contract("R-3.15", "D-65")
def test_an_interrupted_dce_ends_with_1_and_is_still_an_abort() -> None:
    error = error_of(1, "System.Threading.Tasks.TaskCanceledException: A task was canceled.\n   at X()")
    assert isinstance(error, ExportAborted)
    assert not error.out_of_memory


@pytest.mark.contract("R-3.16", "R-11.10", "R-18.04")
@pytest.mark.parametrize("exit_code", [0, 1])
@pytest.mark.parametrize(("words", "reason"), [("forbidden", "forbidden"), ("not found", "not_found")])
def test_refused_channels_are_skips_whatever_the_exit_status(exit_code: int, words: str, reason: str) -> None:
    lines = (
        f"Failed to export the following channel(s):\nroom: Request to 'channels/111/messages?limit=1' failed: {words}."
    )
    error = error_of(exit_code, lines)
    assert isinstance(error, ChannelSkipped)
    assert error.reason == SkipReason(reason)


def test_a_channel_that_does_not_resolve_is_not_found() -> None:
    error = error_of(1, "Request to 'channels/1' failed: not found.\n   at DiscordChatExporter.Core()")
    assert isinstance(error, ChannelSkipped)
    assert error.reason is SkipReason.NOT_FOUND


@pytest.mark.contract("R-3.22", "R-11.10", "D-24")
def test_a_bad_token_is_told_by_its_exact_line() -> None:
    assert isinstance(error_of(1, "Authentication token is invalid.\n   at X()"), AuthenticationFailed)
    assert isinstance(error_of(1, "\x1b[31mAuthentication token is invalid.\x1b[0m"), AuthenticationFailed)
    assert isinstance(error_of(1, "401 403 in 1401403111 (size 401)"), ExportFailed)


@pytest.mark.contract("R-3.02", "D-08")
def test_a_forum_is_a_skip() -> None:
    error = error_of(1, "x: Channel 'ideas' of guild 'Lab' is a forum and cannot be exported directly.")
    assert isinstance(error, ChannelSkipped)
    assert error.reason is SkipReason.FORUM


@pytest.mark.contract("R-17.04")
def test_zero_channels_is_a_skip_and_not_a_failure() -> None:
    error = error_of(1, "Export failed.", "Resolving channel(s)...\nExporting 0 channel(s)...")
    assert isinstance(error, ChannelSkipped)


@pytest.mark.contract("R-3.12", "D-52")
def test_a_full_disk_is_told_by_nets_own_message() -> None:
    full = "System.IO.IOException: No space left on device : '/a/.dce-temp/export.json'"
    assert isinstance(error_of(1, full), DiskFull)
    assert isinstance(error_of(1, "No space left on device: a room of that name failed oddly"), ExportFailed)


@pytest.mark.contract("R-18.11")
def test_a_bot_that_may_not_read_content_is_told_what_to_do() -> None:
    error = error_of(1, "Provided bot account is missing the MESSAGE_CONTENT privileged intent.")
    assert isinstance(error, ExportFailed)
    assert "portal" in error.hint


WHERE = "Channel 'room' of guild 'g'"
PERIOD = "within the specified period"
EMPTY = {
    "2.46": (0, f"{WHERE} does not contain any messages; an empty file will be created."),
    "2.45": (0, f"{WHERE} does not contain any messages {PERIOD}; an empty file will be created."),
    "2.44": (1, f"Channel 'room' (#1) of guild 'g' (#2) does not contain any matching messages {PERIOD}."),
    "2.43": (1, f"{WHERE} does not contain any matching messages {PERIOD}."),
    "2.42.7": (1, f"{WHERE} does not contain any messages {PERIOD}."),
    "2.41": (1, f"Channel does not contain any matching messages {PERIOD}."),
    "2.40": (1, "Channel is empty or contains no messages for the specified period"),
    "2.38": (1, "Channel is empty or contains no messages for the specified period."),
    "2.37": (1, "Channel 'room' contains no messages for the specified period."),
}


@pytest.mark.contract("F-D5")
@pytest.mark.parametrize("version", EMPTY)
@pytest.mark.parametrize("name", ["", "room: ", "failed: forbidden: "])
def test_an_empty_channel_is_no_error_in_any_version(version: str, name: str) -> None:
    exit_code, words = EMPTY[version]
    line = f"{name}{words}"
    assert error_of(exit_code, line) is None
    assert is_empty(ended(exit_code, line))


@pytest.mark.contract("F-D6")
@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_channel_of_a_kind_without_messages_is_a_skip(exit_code: int) -> None:
    content = '{"message": "Cannot execute action on this channel type", "code": 50024}'
    line = f"clips: Request to 'channels/111/messages?limit=1' failed: bad request. Response content: {content}"
    error = error_of(exit_code, f"{line}\n   at DiscordChatExporter.Core()")
    assert isinstance(error, ChannelSkipped)
    assert error.reason is SkipReason.FORUM
    assert isinstance(error_of(1, line.replace("50024", "50035")), ExportFailed)


@pytest.mark.contract("F-D8")
@pytest.mark.parametrize("path", ["guilds/222/channels", "guilds/222", "users/@me/channels"])
def test_only_a_refused_channel_is_a_skip(path: str) -> None:
    error = error_of(1, f"Request to '{path}' failed: forbidden.\n   at DiscordChatExporter.Core()")
    assert isinstance(error, ExportFailed)
    assert path in str(error)


@pytest.mark.contract("R-3.15", "R-3.21", "D-03", "D-47")
@pytest.mark.parametrize(
    "line",
    [
        "zoom-room: boom",
        "OOM Killed SIGKILL out of memory core dumped",
        "Request to 'x' failed: forbidden. said a channel's name: internal error",
        "Missing Access 403 Forbidden 404 Not Found",
        "Channel 'a does not contain any messages.' of guild 'g' broke: no",
    ],
)
def test_words_inside_other_text_decide_nothing(line: str) -> None:
    assert isinstance(error_of(1, line), ExportFailed)


@pytest.mark.contract("R-3.15", "D-03")
@given(st.text(), st.text(), st.sampled_from([1, 2, 125, 127]))
def test_any_other_end_is_a_failure_of_one_line(stderr: str, stdout: str, exit_code: int) -> None:
    error = error_of(exit_code, stderr, stdout)
    assert isinstance(error, ExportFailed)
    assert str(error).isprintable() or "\ufffd" in str(error) or len(str(error).splitlines()) == 1


@pytest.mark.contract("R-17.03")
def test_the_last_lines_are_shown_without_the_stack() -> None:
    stderr = "Failed to export the following channel(s):\nroom: it \x1b[31mbroke\x1b[0m\n   at A.B()\n\nExport failed."
    assert gist(ended(1, stderr)) == "room: it broke"
    assert gist(ended(1)) == "it said nothing"
    assert gist(ended(1, "", "USAGE\n  x")) == "USAGE | x"


@pytest.mark.contract("R-3.03", "D-28")
def test_a_failed_listing_is_an_error_with_dces_words() -> None:
    assert listing_error("guilds", ended(0)) is None
    assert isinstance(listing_error("guilds", ended(1, "Authentication token is invalid.")), AuthenticationFailed)
    refused = listing_error("channels of guild 9", ended(1, "Request to 'guilds/9' failed: not found."))
    assert isinstance(refused, ExportFailed)
    assert "Request to 'guilds/9' failed: not found." in str(refused)
