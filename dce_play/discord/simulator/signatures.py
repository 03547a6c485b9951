"""Signed URLs of attachments, as Discord's media server asks for them: ``?ex=…&is=…&hm=…``, good for a while."""

import hmac
import math
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

from dce_play.discord.simulator.shapes import Json
from dce_play.system.clock import Clock

SIGNED = ("/attachments/", "/ephemeral-attachments/")
"""Below these paths nothing is served without a signature."""
A_DAY_S = 86_400.0


class Signatures:
    """Signs URLs for ``lifetime_s`` seconds. ``expire`` ends at once whatever was signed so far."""

    def __init__(self, clock: Clock, *, key: int, lifetime_s: float = A_DAY_S) -> None:
        self._clock = clock
        self._key = f"simulated {key}".encode()
        self._lifetime_s = lifetime_s
        self._generation = 0
        self.given = 0
        """How many URLs were signed."""

    def expire(self) -> None:
        """Let no signature hold that was given before."""
        self._generation += 1

    def sign(self, url: str) -> str:
        """Return a URL with a new signature in place of its query."""
        self.given += 1
        bare = url.partition("?")[0]
        now = self._clock.now().timestamp()
        until, since = f"{math.ceil(now + self._lifetime_s):x}", f"{int(now):x}"
        return f"{bare}?ex={until}&is={since}&hm={self._seal(urlsplit(bare).path, until, since)}&"

    def holds(self, path: str, query: str) -> bool:
        """Return whether a request's signature is ours and has not ended."""
        found = {name: values[-1] for name, values in parse_qs(query).items()}
        until, since = found.get("ex", ""), found.get("is", "")
        if not hmac.compare_digest(found.get("hm", "").encode(), self._seal(path, until, since).encode()):
            return False
        return int(until, 16) > self._clock.now().timestamp()  # ours, so it is a number

    def sign_message(self, message: Json) -> Json:
        """Return a message whose attachments, forwarded ones included, have signed URLs."""
        snapshots = message.get("message_snapshots")
        signed = message | {"attachments": self._attachments(message)}
        if isinstance(snapshots, list):
            inner = [each["message"] for each in snapshots]
            signed["message_snapshots"] = [{"message": one | {"attachments": self._attachments(one)}} for one in inner]
        return signed

    def _attachments(self, message: Mapping[str, object]) -> list[Json]:
        found = message.get("attachments")
        keys = ("url", "proxy_url")
        return [
            each | {key: self.sign(str(each[key])) for key in keys}
            for each in (found if isinstance(found, list) else ())
        ]

    def _seal(self, path: str, until: str, since: str) -> str:
        text = f"{self._generation} {path} {until} {since}"
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), sha256).hexdigest()
