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
) -> bytes:
    """Return a whole channel file with messages of these ids, in this order."""
    messages = [message(identifier, (contents or {}).get(identifier, "")) for identifier in ids]
    value = {
        "guild": {"id": "222", "name": "Fixture Guild", "iconUrl": "https://example.invalid/icon.png"},
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


def ids_in(path: Path) -> list[int]:
    """Return the ids of a channel file's messages, in file order."""
    return [int(entry["id"]) for entry in json.loads(path.read_bytes())["messages"]]
