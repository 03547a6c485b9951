"""One GET over HTTP: where it may go, how long it may take, and what came of it."""

import json
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from dce_play import __version__
from dce_play.errors import UsageError
from dce_play.system.clock import Clock
from dce_play.system.loopback import is_loopback

LARGEST_ANSWER_BYTES = 64 << 20
"""A page of 100 messages with all their embeds has far less than this."""
_KEPT_ALIVE_S = 15.0


class BadApiBase(UsageError):
    """The API base is no URL that a token may be sent to."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"bad API base {host}: {reason}", hint="use https://…, or http:// to a server on this machine")
        self.host = host


class Unanswered(Exception):
    """No whole, readable answer came: a dropped connection, a timeout, a cut body, no JSON. The client asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long one request may take. ``total_s`` is for the whole answer, headers and all, however it drips."""

    connect_s: float = 10.0
    silence_s: float = 30.0
    total_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered. ``body`` is parsed JSON, or ``None``, as it is when the body is no JSON."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: Any
    is_json: bool = True
    is_blank: bool = False
    """Whether there was no body at all."""


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
        import httpcore2  # 50 ms that only an export needs

        from dce_play.system.guarded_network import Guard, GuardedBackend, TooSlow

        self._failures = (
            httpcore2.NetworkError,
            httpcore2.TimeoutException,
            httpcore2.ProtocolError,
            httpcore2.ProxyError,
            zlib.error,
        )
        self._too_slow = TooSlow
        self._base_url = check_api_base(base_url)
        self._timeouts = timeouts
        self._slots = threading.BoundedSemaphore(connections)
        self._guard = Guard(clock)
        self._patience = {
            "timeout": {"connect": timeouts.connect_s, "read": timeouts.silence_s, "write": timeouts.silence_s}
        }
        settings: dict[str, Any] = {
            # Reading the certificates takes 50 ms, which a server on this machine need not cost.
            "ssl_context": httpcore2.default_ssl_context() if urlsplit(self._base_url).scheme == "https" else None,
            "max_connections": connections,
            "max_keepalive_connections": connections,
            "keepalive_expiry": _KEPT_ALIVE_S,
            "network_backend": GuardedBackend(self._guard),
        }
        proxy = _proxy_for(self._base_url)
        self._pool: Any
        if proxy is None:
            self._pool = httpcore2.ConnectionPool(**settings)
        elif proxy.startswith("socks"):
            self._pool = httpcore2.SOCKSProxy(proxy, **settings)
        else:
            self._pool = httpcore2.HTTPProxy(_without_user(proxy), proxy_auth=_user_of(proxy), **settings)

    def get(
        self, path_and_query: str, authorization: str, beat: Callable[[], None], *, body: bytes | None = None
    ) -> Answer:
        """Ask once; with a body, which is JSON, it is a POST. ``beat`` is called meanwhile, and may raise to stop.

        Raises: Unanswered.
        """
        while not self._slots.acquire(timeout=1.0):
            beat()
        self._guard.begin(self._timeouts.total_s, beat)
        try:
            return self._exchange(f"{self._base_url}/{path_and_query}", authorization, body)
        except self._too_slow as error:
            raise Unanswered(f"an answer that took more than {self._timeouts.total_s:g} s") from error
        except self._failures as error:
            raise Unanswered(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error
        finally:
            self._slots.release()

    def _exchange(self, url: str, authorization: str, content: bytes | None) -> Answer:
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "Authorization": authorization,
            "Connection": "keep-alive",
            "User-Agent": f"DiscordBot (dce-play, {__version__})",
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        method = "GET" if content is None else "POST"
        with self._pool.stream(method, url, headers=headers, content=content, extensions=self._patience) as response:
            told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            raw = _whole_body(response.iter_stream(), told.get("content-encoding", ""))
        body, is_json = _parse(raw)
        return Answer(status=response.status, headers=told, body=body, is_json=is_json, is_blank=not raw.strip())

    def close(self) -> None:
        """End all connections."""
        self._pool.close()


def _proxy_for(base_url: str) -> str | None:
    """Return the proxy that the environment names for this server; none for one on this machine."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme != "https" or proxy_bypass(host):
        return None
    proxies = getproxies()
    found = proxies.get("https") or proxies.get("all")
    if not found:
        return None
    return found if "://" in found else f"http://{found}"


def _user_of(proxy: str) -> tuple[str, str] | None:
    parts = urlsplit(proxy)
    return None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))


def _without_user(proxy: str) -> str:
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _whole_body(chunks: Iterable[bytes], encoding: str) -> bytes:
    """Return the body, decompressed, at most ``LARGEST_ANSWER_BYTES`` of it in memory."""
    inflate = _inflater(encoding.strip().lower())
    raw = bytearray()
    for chunk in chunks:
        raw += chunk if inflate is None else inflate.feed(chunk, LARGEST_ANSWER_BYTES - len(raw) + 1)
        if len(raw) > LARGEST_ANSWER_BYTES:
            raise Unanswered(f"an answer of more than {LARGEST_ANSWER_BYTES >> 20} MiB")
    if inflate is not None and not inflate.is_whole:
        raise Unanswered("a compressed answer that is cut off")
    return bytes(raw)


class _Inflate:
    """One compressed body. What some servers call deflate has zlib's frame, what others do has none."""

    def __init__(self, *, may_be_bare: bool) -> None:
        self._inner = zlib.decompressobj(32 + zlib.MAX_WBITS)
        self._may_be_bare = may_be_bare
        self._fed = False

    @property
    def is_whole(self) -> bool:
        return self._inner.eof or not self._fed

    def feed(self, chunk: bytes, most: int) -> bytes:
        """Return at most so many bytes of what this chunk decodes to; more is lost, and too much anyway."""
        bare = self._may_be_bare and not self._fed
        self._fed = True
        try:
            return self._inner.decompress(chunk, max(most, 1))
        except zlib.error:
            if not bare:
                raise
            self._inner = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._inner.decompress(chunk, max(most, 1))


def _inflater(encoding: str) -> _Inflate | None:
    if encoding in {"", "identity"}:
        return None
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return _Inflate(may_be_bare=encoding == "deflate")
    raise Unanswered(f"an answer in an encoding that was not asked for: {encoding[:20]}")


def _parse(raw: bytes) -> tuple[Any, bool]:
    try:
        return json.loads(raw), True
    except (ValueError, RecursionError):
        return None, False
