"""One GET over HTTP: where it may go, how long it may take, and what came of it."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dce_play import __version__
from dce_play.errors import UsageError
from dce_play.system.clock import Clock
from dce_play.system.loopback import is_loopback

LARGEST_ANSWER_BYTES = 64 << 20
"""A page of 100 messages with all their embeds has far less than this."""


class BadApiBase(UsageError):
    """The API base is no URL that a token may be sent to."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"bad API base {host}: {reason}", hint="use https://…, or http:// to a server on this machine")
        self.host = host


class Unanswered(Exception):
    """No whole, readable answer came: a dropped connection, a timeout, a cut body, no JSON. The client asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long one request may take. ``total_s`` holds also against a server that answers byte by byte."""

    connect_s: float = 10.0
    silence_s: float = 30.0
    total_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered. ``body`` is parsed JSON, or ``None`` where a refusal has none."""

    status: int
    headers: Mapping[str, str]
    body: Any


def check_api_base(base_url: str) -> str:
    """Return the URL without a slash at its end.

    Raises: BadApiBase, when it is no URL, or plain http to another machine: the token would be readable on the way.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None or parts.query:
        raise BadApiBase(parts.hostname or "without a host", "not a plain http or https URL")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise BadApiBase(parts.hostname, "plain http would show the token to the network")
    return base_url.rstrip("/")


class Transport:
    """Connections to one API base, shared by all threads of a run. ``close`` ends them.

    Proxies and certificates come from the environment (``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE``,
    ``SSL_CERT_DIR``), except to a server on this machine, which is asked directly. Certificates are always verified
    and redirects never followed, so the token goes nowhere else.
    """

    def __init__(self, base_url: str, *, clock: Clock, timeouts: Timeouts, connections: int) -> None:
        import httpx2  # 100 ms that only an export needs

        self._httpx = httpx2
        self._base_url = check_api_base(base_url)
        self._clock = clock
        self._timeouts = timeouts
        self._slots = threading.BoundedSemaphore(connections)
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(timeouts.silence_s, connect=timeouts.connect_s),
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
            trust_env=urlsplit(base_url).scheme == "https",
            follow_redirects=False,
            headers={"Accept-Encoding": "gzip, deflate", "User-Agent": f"DiscordBot (dce-play, {__version__})"},
        )

    def get(self, path_and_query: str, authorization: str, beat: Callable[[], None]) -> Answer:
        """Ask once. ``beat`` is called while the answer comes in, and may raise to stop.

        Raises: Unanswered.
        """
        while not self._slots.acquire(timeout=1.0):
            beat()
        try:
            with self._client.stream(
                "GET", f"{self._base_url}/{path_and_query}", headers={"Authorization": authorization}
            ) as response:
                raw = self._read(response.iter_bytes(), beat)
                return Answer(
                    status=response.status_code,
                    headers=response.headers,
                    body=_parse(raw, must_be_json=response.is_success),
                )
        except (self._httpx.TransportError, self._httpx.DecodingError) as error:
            raise Unanswered(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error
        finally:
            self._slots.release()

    def _read(self, chunks: Iterator[bytes], beat: Callable[[], None]) -> bytes:
        ends_at = self._clock.monotonic() + self._timeouts.total_s
        raw = bytearray()
        for chunk in chunks:
            raw += chunk
            beat()
            if len(raw) > LARGEST_ANSWER_BYTES:
                raise Unanswered(f"an answer of more than {LARGEST_ANSWER_BYTES >> 20} MiB")
            if self._clock.monotonic() > ends_at:
                raise Unanswered(f"an answer that took more than {self._timeouts.total_s:g} s")
        return bytes(raw)

    def close(self) -> None:
        """End all connections."""
        self._client.close()


def _parse(raw: bytes, *, must_be_json: bool) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        if must_be_json:
            raise Unanswered("an answer that is not JSON") from error
        return None
