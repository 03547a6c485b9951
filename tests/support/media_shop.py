"""A target with one channel file, whose attachments a media server on loopback has."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.support.command_line import Terminal, terminal_in
from tests.support.media_server import MediaServer

CHANNEL = "1234567890123456789"


class Shop:
    """A target with one channel file, whose attachments the server has."""

    def __init__(self, folder: Path, server: MediaServer, **keys: object) -> None:
        self.server = server
        self.target = folder / "archive" / "t"
        self.target.mkdir(parents=True)
        self.file = self.target / f"G - general [{CHANNEL}].json"
        self.messages: list[dict[str, Any]] = []
        self._next = 0
        self.terminal: Terminal = terminal_in(
            folder,
            DCE_DISCORD_CDN_BASE=server.base,
            DCE_DISCORD_API_BASE=f"{server.base}/api/v10",
            DISCORD_TOKEN="synthetic-token",
        )
        self.keys = {"media": "attachments", **keys}
        self.configure()

    def configure(self, **keys: object) -> None:
        self.keys |= keys
        target = {"name": "t", "output_dir": str(self.target), "channel_ids": [CHANNEL], **self.keys}
        text = json.dumps({"archive_root": str(self.target.parent), "targets": [target]})
        self.terminal.write("scrape-targets.json", text)

    def number(self, attachment_id: int) -> None:
        """Let the next attachment have this id, above 7000."""
        self._next = attachment_id - 7000

    def attach(
        self, name: str, data: bytes | None, *, size: int | None = None, query: str = "?ex=7fffffff&is=1&hm=good&"
    ) -> str:
        number = self._next or len(self.messages) + 1
        self._next = 0
        path = f"/attachments/{CHANNEL}/{7000 + number}/{name}"
        if data is not None:
            self.server.files[path] = data
        url = f"https://cdn.discordapp.com{path}"
        self.messages.append({
            "id": str(1_000_000_000_000_000_000 + number),
            "timestamp": "2026-01-01T00:00:00+00:00",
            "content": "see",
            "author": {"id": "1", "name": "u", "avatarUrl": "https://cdn.discordapp.com/avatars/1/a.png?size=512"},
            "attachments": [
                {
                    "id": str(7000 + number),
                    "url": url + query,
                    "fileName": name,
                    "fileSizeBytes": len(data or b"") if size is None else size,
                }
            ],
            "embeds": [],
        })  # fmt: skip
        self.save()
        return url

    def save(self) -> None:
        whole = {
            "guild": {"id": "1", "name": "G", "iconUrl": "https://cdn.discordapp.com/icons/1/i.png?size=512"},
            "channel": {"id": CHANNEL, "type": "GuildTextChat", "name": "general"},
            "messages": self.messages,
            "messageCount": len(self.messages),
        }
        self.file.write_text(json.dumps(whole, indent=2))

    @property
    def media(self) -> Path:
        return self.target / ".dce-media"

    def lines(self) -> list[dict[str, Any]]:
        ledger = self.media / "media.jsonl"
        return [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []

    def state(self, url: str) -> str:
        return str([line["state"] for line in self.lines() if line["url"] == url][-1])

    def stored(self, data: bytes) -> bool:
        digest = hashlib.sha256(data).hexdigest()
        place = self.media / "sha256" / digest[:2] / digest
        return place.exists() and place.read_bytes() == data

    def parts(self) -> list[Path]:
        return list(self.media.rglob("*.part"))

    def fetch(self, *words: str) -> Any:
        return self.terminal.run("media", "fetch", "t", *words)
