"""The simulated media server: what the world's messages name, with signatures, ranges and entity tags.

Its bytes are made from their path, so every simulator of a world has the same. Pictures are real PNG files, whatever
their name says, filled up behind their end to the length that the message tells.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from hashlib import sha256, shake_128
from typing import NamedTuple
from urllib.parse import unquote

from dce_play.discord.simulator.messages import message_at
from dce_play.discord.simulator.reply import Reply
from dce_play.discord.simulator.shapes import Json
from dce_play.discord.simulator.signatures import SIGNED, Signatures
from dce_play.discord.simulator.world import World

_ATTACHMENT = re.compile(r"/attachments/([0-9]{1,20})/([0-9]{1,20})/([^/]+)")
_PICTURE = re.compile(
    r"/(?:avatars|icons|channel-icons|guilds/[0-9]+/users|emojis|stickers|embed/avatars)/[A-Za-z0-9_/]+\.(png|gif|json|webp|jpg)"
)
_TYPES = {"png": "image/png", "gif": "image/gif", "json": "application/json", "webp": "image/webp", "jpg": "image/jpeg"}
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})?")
_NUMBERS = range(1, 5)
"""An attachment's id is its message's, less one of these."""
GONE = Reply(status=404, body=b"This content is no longer available.", content_type="text/plain")


class MediaFile(NamedTuple):
    """What lies under one path."""

    path: str
    size: int
    content_type: str

    @property
    def data(self) -> bytes:
        """All of its bytes."""
        seed = self.path.encode("utf-8", "surrogatepass")
        head = _picture(seed) if self.content_type.startswith("image/") else b""
        head = head if len(head) <= self.size else b""
        return head + shake_128(seed).digest(self.size - len(head))


class MediaServer:
    """Answers for paths of ``cdn.discordapp.com`` and ``media.discordapp.net``."""

    def __init__(self, world: World, signatures: Signatures, /) -> None:
        self._world = world
        self.signatures = signatures

    def answer(self, method: str, raw: str, query: str, headers: Mapping[bytes, bytes]) -> Reply:
        """Return the answer to one request; ``raw`` is the path as it was asked for, percent-encoded."""
        if method not in {"GET", "HEAD"}:
            return Reply(status=405, body=b"", content_type="text/plain")
        path = unquote(raw)
        if path.startswith(SIGNED) and not self.signatures.holds(path, query):
            return GONE
        found = self.find(path)
        return GONE if found is None else _served(found, headers)

    def find(self, path: str) -> MediaFile | None:
        """Return the file under a path, or ``None`` when nothing in the world names it."""
        attachment = _ATTACHMENT.fullmatch(path)
        if attachment is not None:
            return self._attachment(path, *attachment.groups())
        picture = _PICTURE.fullmatch(path)
        if picture is None:
            return None
        size = 2000 + int.from_bytes(sha256(path.encode()).digest()[:2])
        return MediaFile(path, size, _TYPES[picture[1]])

    def _attachment(self, path: str, channel_id: str, attachment_id: str, _name: str) -> MediaFile | None:
        channel = self._world.channel(channel_id)
        if channel is None:
            return None
        timeline = self._world.timeline(channel.channel_id)
        for number in _NUMBERS:
            index = timeline.index_of(str(int(attachment_id) + number))
            if index is None:
                continue
            for each in _named(message_at(self._world, channel, index)):
                if each["id"] == attachment_id and str(each["url"]).partition("?")[0].endswith(path):
                    return MediaFile(path, int(str(each["size"])), str(each["content_type"]))
        return None


def _named(message: Json) -> list[Json]:
    """Return a message's attachments, those that it forwards included."""
    found: list[Json] = []
    snapshots = message.get("message_snapshots")
    inner = [each["message"] for each in snapshots] if isinstance(snapshots, list) else []
    for one in (message, *inner):
        attachments = one["attachments"]
        found += attachments if isinstance(attachments, list) else []
    return found


def _served(file: MediaFile, headers: Mapping[bytes, bytes]) -> Reply:
    data = file.data
    etag = f'"{sha256(data).hexdigest()[:32]}"'
    told: tuple[tuple[str, str], ...] = (("ETag", etag), ("Accept-Ranges", "bytes"))
    asked = _RANGE.fullmatch(headers.get(b"range", b"").decode("latin-1"))
    condition = headers.get(b"if-range", etag.encode()).decode("latin-1")
    if asked is None or condition != etag:
        return Reply(status=200, body=data, headers=told, content_type=file.content_type)
    start, end = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
    if start >= len(data) or end < start:
        told += (("Content-Range", f"bytes */{len(data)}"),)
        return Reply(status=416, body=b"", headers=told, content_type=file.content_type)
    told += (("Content-Range", f"bytes {start}-{end}/{len(data)}"),)
    return Reply(status=206, body=data[start : end + 1], headers=told, content_type=file.content_type)


def _picture(seed: bytes, *, width: int = 64, height: int = 48) -> bytes:
    """Return a small PNG whose colours come from the seed: a slope from one to the other."""
    one, other = shake_128(seed).digest(6)[:3], shake_128(seed).digest(6)[3:]
    rows = b"".join(
        b"\0"
        + b"".join(
            bytes((a * (width - x) + b * x) // width for a, b in zip(one, other, strict=True)) for x in range(width)
        )
        for _ in range(height)
    )
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
