"""Channel files and exports for tests, in DiscordChatExporter's layout."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path


def message(identifier: int, content: str = "") -> dict[str, object]:
    """Return one message as DCE writes it, shortened."""
    return {
        "id": str(identifier),
        "type": "Default",
        "timestamp": "2026-01-01T00:00:00+00:00",
        "timestampEdited": None,
        "callEndedTimestamp": None,
        "isPinned": False,
        "content": content or f"message {identifier}",
        "author": {"id": "7", "name": "ann", "roles": []},
        "attachments": [],
        "embeds": [],
        "reactions": [],
        "mentions": [],
    }


def channel_bytes(
    ids: Iterable[int],
    *,
    channel_id: str = "111",
    contents: Mapping[int, str] | None = None,
    exported_at: str = "2026-01-05T00:00:00+00:00",
    after: str | None = None,
    category: str = "Testing Grounds",
    guild_id: str = "222",
) -> bytes:
    """Return a whole channel file with messages of these ids, in this order."""
    messages = [message(identifier, (contents or {}).get(identifier, "")) for identifier in ids]
    value = {
        "guild": {"id": guild_id, "name": "Fixture Guild", "iconUrl": "https://example.invalid/icon.png"},
        "channel": {
            "id": channel_id,
            "type": "GuildTextChat",
            "categoryId": "333",
            "category": category,
            "name": "fixture-room",
            "topic": None,
        },
        "dateRange": {"after": after, "before": None},
        "exportedAt": exported_at,
        "messages": messages,
        "messageCount": len(messages),
    }
    return json.dumps(value, indent=2, ensure_ascii=False).encode()


def write_channel(path: Path, ids: Iterable[int], **facts: str) -> Path:
    """Write a channel file and return its path; ``facts`` are those of ``channel_bytes``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(channel_bytes(ids, **facts))  # type: ignore[arg-type]  # only texts are passed on
    return path


def write_large_channel(path: Path, first: int, count: int, *, channel_id: str, guild_id: str = "222") -> Path:
    """Write a channel file with this many messages of about 900 bytes each, and return its path."""
    whole = channel_bytes([7], channel_id=channel_id, guild_id=guild_id, contents={7: "x" * 560})
    start, end = whole.index(b'    {\n      "id"'), whole.index(b"\n  ],")
    pattern = whole[start:end]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(whole[:start])
        for number in range(count):
            file.write(b",\n" * (number > 0) + pattern.replace(b'"id": "7"', b'"id": "%d"' % (first + number), 1))
        file.write(whole[end:].replace(b'"messageCount": 1', b'"messageCount": %d' % count))
    return path


def ids_in(path: Path) -> list[int]:
    """Return the ids of a channel file's messages, in file order."""
    return [int(entry["id"]) for entry in json.loads(path.read_bytes())["messages"]]
