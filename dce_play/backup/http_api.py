"""A JSON API over HTTP: bounded answers, deadlines, no redirects, errors of the closed set.

Proxies come from the environment, except to a server on this machine. Certificates are always verified; a definition's
``ca_file`` is the only other authority.
"""

import ipaddress
import json
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.source import JsonValue
from dce_play.system.authorities import believing

LARGEST_ANSWER_BYTES = 16 << 20
"""Of an answer that is kept in memory. Streams have no bound."""
CONNECT_S = 10.0
SILENCE_S = 60.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a server answered. ``body`` is ``None`` where it is not JSON."""

    status: int
    body: JsonValue
    location: str = ""

    def text(self, *path: str) -> str:
        """Return the text at a path of keys, or an empty one."""
        found: JsonValue = self.body
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, str) else ""

    def said(self) -> str:
        """Return what the server says in words, shortened to one line."""
        body = self.body
        errors = body.get("errors") if isinstance(body, dict) else None
        words = " ".join(map(str, errors)) if isinstance(errors, list) else self.text("message")
        return " ".join(words.split())[:300] or "no reason given"


class Streamed:
    """An answer that is being read."""

    def __init__(self, response: Any, where: str) -> None:
        self._response = response
        self._where = where

    @property
    def status(self) -> int:
        return int(self._response.status_code)

    @property
    def location(self) -> str:
        return str(self._response.headers.get("location", ""))

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it was sent, without undoing any content coding.

        Raises: BackupError (``truncated``), when the connection is cut before the answer's end.
        """
        with _reaching(self._where, ErrorId.TRUNCATED):
            yield from self._response.iter_raw()

    def answer(self) -> Answer:
        """Return a small answer whole."""
        raw = bytearray()
        for chunk in self.chunks():
            raw += chunk
            if len(raw) > LARGEST_ANSWER_BYTES:
                raise BackupError(ErrorId.ENGINE_FAILED, f"{self._where} gives an answer without end")
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            body = None
        return Answer(status=self.status, body=body, location=self.location)


class HttpApi:
    """One server, with the headers that every request carries. ``with HttpApi(…) as api:`` ends its connections.

    Raises: BackupError (``invalid``), when the URL is none or the authorities' file cannot be read.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        ca_file: str = "",
        silence_s: float = SILENCE_S,
    ) -> None:
        import httpx2  # 100 ms that only engines with an API need

        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            raise BackupError(ErrorId.INVALID, "the server's address is no plain http or https URL")
        self.base_url = base_url.rstrip("/")
        self.where = f"{parts.scheme}://{parts.netloc}"
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(silence_s, connect=min(CONNECT_S, silence_s)),
            follow_redirects=False,
            trust_env=not _is_loopback(parts.hostname),
            verify=_authorities(ca_file) if parts.scheme == "https" else _nobody(),
            headers={"Accept-Encoding": "identity", **(headers or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, method: str, path: str, body: JsonValue = None, *, total_s: float = SILENCE_S) -> Answer:
        """Send a request and return its answer, whatever its status. A server that drips gets ``total_s``.

        Raises: BackupError (``unreachable``, ``truncated``).
        """
        ends_at = time.monotonic() + total_s
        raw = bytearray()
        with self.stream(method, path, json_body=body) as streamed:
            for chunk in streamed.chunks():
                raw += chunk
                if len(raw) > LARGEST_ANSWER_BYTES or time.monotonic() > ends_at:
                    raise BackupError(ErrorId.UNREACHABLE, f"{self.where} gives an answer without end")
            try:
                parsed = json.loads(raw)
            except (ValueError, RecursionError):
                parsed = None
            return Answer(status=streamed.status, body=parsed, location=streamed.location)

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        json_body: JsonValue = None,
        content: Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Streamed]:
        """Send a request, its body streamed where ``content`` is given, and read the answer as it comes.

        Raises: BackupError (``unreachable``).
        """
        options: dict[str, Any] = {"content": content} if json_body is None else {"json": json_body}
        with _reaching(self.where, ErrorId.UNREACHABLE):
            request = self._client.build_request(method, f"{self.base_url}{path}", headers=headers, **options)
            response = self._client.send(request, stream=True)
        try:
            yield Streamed(response, self.where)
        finally:
            response.close()


@contextmanager
def _reaching(where: str, error_id: ErrorId) -> Iterator[None]:
    import httpx2  # as above

    try:
        yield
    except (httpx2.TransportError, httpx2.DecodingError, httpx2.StreamError) as error:
        reason = str(error) or type(error).__name__
        hint = "is the server running, and the address right?" if error_id is ErrorId.UNREACHABLE else ""
        raise BackupError(error_id, f"{where}: {reason}", hint=hint) from error


def _authorities(ca_file: str) -> ssl.SSLContext:
    try:
        return believing(ca_file or None)
    except OSError as error:
        raise BackupError(ErrorId.INVALID, f"cannot read the authorities in {ca_file}: {error}") from error


def _nobody() -> ssl.SSLContext:
    """Return a context that trusts no authority, for plain http: reading all of them takes 40 ms, for nothing."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
