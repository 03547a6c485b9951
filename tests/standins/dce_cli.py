#!/usr/bin/env python3
"""A stand-in for DiscordChatExporter.Cli. It is not DiscordChatExporter and talks to nobody.

It replays how the real program was seen to end: exit status, file, standard error. ``DCE_STANDIN`` names a JSON file:
``{"channels": {"<id>": {"case": "ok", "ids": ["1", "2"]}}, "log": "<file>"}``. Each call is added to the log as one
JSON line: its arguments, and whether a token was in the environment. Channels without an entry are ``ok``, or with
``"strict": true`` unknown; with ``"dead": true`` the token is refused. ``"listings"`` has what each listing prints,
``"attach"`` the size of the attachment of each message.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

VERSION = "v2.46 (a stand-in, not DiscordChatExporter)"
EPOCH_MS = 1_420_070_400_000
STACK = "   at DiscordChatExporter.Core.Discord.DiscordClient.GetJsonResponseAsync(String url)"
NAME = "zoom-room boom"


def timestamp(identifier: str) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(((int(identifier) >> 22) + EPOCH_MS) / 1000))


def attachments(channel_id: str, identifier: str) -> list[dict[str, object]]:
    """Return what each message carries where the script says ``"attach": SIZE``."""
    size = json.loads(Path(os.environ["DCE_STANDIN"]).read_text()).get("attach")
    url = f"https://cdn.discordapp.com/attachments/{channel_id}/{identifier}/a.png?ex=7fffffff&is=1&hm=good&"
    return [{"id": identifier, "url": url, "fileName": "a.png", "fileSizeBytes": size}] if size else []


def message(channel_id: str, identifier: str) -> dict[str, object]:
    author = {"id": "5", "name": "ada", "discriminator": "0000", "nickname": "Ada", "isBot": False, "roles": []}
    return {
        "id": identifier,
        "type": "Default",
        "timestamp": timestamp(identifier),
        "timestampEdited": None,
        "callEndedTimestamp": None,
        "isPinned": False,
        "content": f"message {identifier}",
        "author": author,
        "attachments": attachments(channel_id, identifier),
        "embeds": [],
        "stickers": [],
        "reactions": [],
        "mentions": [],
        "inlineEmojis": [],
    }


def document(channel_id: str, ids: list[str], after: str | None) -> str:
    return json.dumps(
        {
            "guild": {
                "id": "222",
                "name": "Fixture Guild",
                "iconUrl": "https://cdn.discordapp.com/embed/avatars/0.png",
            },
            "channel": {
                "id": channel_id,
                "type": "GuildTextChat",
                "categoryId": "333",
                "category": "Testing Grounds",
                "name": "fixture-room",
                "topic": None,
            },
            "dateRange": {"after": timestamp(after) if after else None, "before": None},
            "exportedAt": "2026-11-21T00:00:00+00:00",
            "messages": [message(channel_id, identifier) for identifier in ids],
            "messageCount": len(ids),
        },
        indent=2,
    )


def fail(*lines: str) -> int:
    print("\n".join(lines), file=sys.stderr)
    return 1


def failed_channel(reason: str) -> int:
    return fail("Failed to export the following channel(s):", f"{NAME}: {reason}", "", "Export failed.")


def empty() -> int:
    reason = f"Channel '{NAME}' of guild 'Fixture Guild' does not contain any messages; an empty file will be created."
    print(f"Warnings reported for the following channel(s):\n{NAME}: {reason}\n", file=sys.stderr)
    return 0


SIGNALS = {
    "sigterm": signal.SIGTERM,
    "sigkill": signal.SIGKILL,
    "abort": signal.SIGABRT,
    "segfault": signal.SIGSEGV,
}
DYING = {*SIGNALS, "sigint", "disk_full", "half", "hangs", "half_forbidden"}


def export(options: dict[str, str], entry: dict[str, object]) -> int:
    channel_id, after = options["--channel"], options.get("--after")
    output = Path(options["--output"].replace("%%", "%"))
    known = entry.get("ids", ["1", "2", "3"])
    assert isinstance(known, list)
    newest = int(options.get("--before", str(1 << 64)))
    ids = [identifier for identifier in known if int(after or 0) < int(identifier) < newest]
    case = str(entry.get("case", "ok"))
    code = ends_without_a_file(case, channel_id)
    if code is not None:
        return code
    print("\x1b[1mResolving channel(s)...\x1b[0m\nExporting 1 channel(s)...", flush=True)
    if case in DYING:
        return dies(case, output, document(channel_id, ids, after), document(channel_id, ids[:-1], after))
    if case == "ok" and ids:
        write_slowly(output, document(channel_id, ids, after), pause_s=0.05 if len(ids) > 100 else 0.0)
        print("Successfully exported 1 channel(s).")
        return 0
    output.write_text(document(channel_id, [], after))
    return ends_with_an_empty_file(case, channel_id)


def write_slowly(output: Path, text: str, *, pause_s: float) -> None:
    """Write piece by piece, as the real program does: whoever ends it in time finds a part of the file."""
    with output.open("w") as file:
        for start in range(0, len(text), 4096):
            file.write(text[start : start + 4096])
            file.flush()
            time.sleep(pause_s)


def ends_without_a_file(case: str, channel_id: str) -> int | None:
    match case:
        case "bad_token":
            return fail("Authentication token is invalid.", STACK)
        case "not_found":
            return fail(f"Request to 'channels/{channel_id}' failed: not found.", STACK)
        case "no_intent":
            return fail("Provided bot account is missing the MESSAGE_CONTENT privileged intent.")
        case "boom":
            return fail(f"Something about {NAME} went OOM: Killed 401 403 out of memory")
        case "no_channels":
            print("Resolving channel(s)...\nExporting 0 channel(s)...")
            return fail("Export failed.")
        case "old_empty":
            return failed_channel(f"Channel '{NAME}' of guild 'Fixture Guild' does not contain any messages.")
    return None


def ends_with_an_empty_file(case: str, channel_id: str) -> int:
    forbidden = f"Request to 'channels/{channel_id}/messages?limit=1' failed: forbidden."
    match case:
        case "ok" | "empty":
            return empty()
        case "forbidden":
            return failed_channel(forbidden)
        case "forbidden_exit_0":
            failed_channel(forbidden)
            return 0
        case "forum":
            return failed_channel(f"Channel '{NAME}' of guild 'Lab' is a forum and cannot be exported directly.")
        case "unexpected":
            return fail("ERROR", "System.InvalidOperationException: The requested operation requires an element", STACK)
    raise SystemExit(f"no case {case!r}")


def dies(case: str, output: Path, whole: str, short: str) -> int:
    """End in the middle: what is left is cut off or, for a handled end, complete to look at."""
    output.write_text(short if case in {"sigint", "half_forbidden"} else whole[: len(whole) * 2 // 3])
    if case in SIGNALS:
        sys.stdout.flush()
        os.kill(os.getpid(), SIGNALS[case])
    match case:
        case "half":
            return 0
        case "sigint":
            return fail("System.Threading.Tasks.TaskCanceledException: A task was canceled.", STACK)
        case "half_forbidden":
            return failed_channel("Request to 'channels/1/messages?limit=100&after=2' failed: forbidden.")
        case "disk_full":
            return fail(f"System.IO.IOException: No space left on device : '{output}'", STACK)
    time.sleep(600)
    return 1


BANNER = "╔═══════════════════════╗\n║ a stand-in's banner | ║\n╚═══════════════════════╝"


def main(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(VERSION)
        return 0
    script = json.loads(Path(os.environ["DCE_STANDIN"]).read_text())
    if "log" in script:
        call = {"argv": arguments, "token": "DISCORD_TOKEN" in os.environ, "cwd": str(Path.cwd())}
        with Path(script["log"]).open("a") as log:
            log.write(json.dumps(call) + "\n")
    options = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    if script.get("dead"):
        return fail("Authentication token is invalid.", STACK)
    if arguments[0] == "export":
        missing = {"case": "not_found"} if script.get("strict") else {}
        return export(options, script.get("channels", {}).get(options["--channel"], missing))
    listing = script.get("listings", {}).get(arguments[0])
    if listing is None:
        return fail("Authentication token is invalid.", STACK)
    print(BANNER)
    print(listing)
    print("Note: Output streams are redirected, progress cannot be shown.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
