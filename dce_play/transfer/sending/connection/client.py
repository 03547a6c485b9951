"""Requests to the receiver: one connection pool over mutual TLS, the bearer token, and every failure as an answer.

Certificates and token are read anew when they change. Redirects are never followed and proxies never used: both
would carry the token away.
"""

import math
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ClassVar
from urllib.parse import urlsplit

import httpcore2

from dce_play import __version__
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.clock import SystemClock
from dce_play.system.guarded_network import Guard, GuardedBackend
from dce_play.system.redact import SHORTEST_SECRET, Masker
from dce_play.system.secret_reference import NoSecret, read_reference
from dce_play.transfer.sending.connection.answer import LARGEST_BODY, Answer, NoAnswer
from dce_play.transfer.sending.connection.tls_files import BadTlsFile, Stamp, stamp_of, tls_context
from dce_play.transfer.sending.settings import ShipConfig

_IDLE_S = 2.0
"""A connection that rested longer may just be being closed by the other side."""


class NoReceiverToken(DcePlayError):
    """The reference of the configuration leads to no token that a header can carry."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, reference: str, reason: str) -> None:
        super().__init__(
            f"no token behind receiver.token = {reference}: {reason}",
            hint="ask for one at the receiver: dce-play receive token add HOST",
        )


class Client:
    """The receiver as the shipper sees it; threads may share it. ``close`` ends its connections."""

    def __init__(
        self,
        config: ShipConfig,
        *,
        environment: Mapping[str, str],
        masker: Masker,
        heard: Callable[[Answer], None] = lambda _: None,
    ) -> None:
        """``heard`` is told of every answer.

        Raises: NoReceiverToken; BadTlsFile.
        """
        self._config = config
        self._environment = environment
        self._masker = masker
        self._heard = heard
        self._guard = Guard(SystemClock())
        self._lock = threading.Lock()
        self._main_asks = False
        self._stamp = stamp_of(config)
        parts = urlsplit(config.url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._base = parts.path.rstrip("/")
        self._token = ""
        self._token = self._read_token()
        self._pool = self._make_pool(tls_context(config))

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] | bytes = b"",
        size: int = 0,
    ) -> Answer:
        """Make one request. ``path`` begins with a slash; ``body`` has exactly ``size`` bytes.

        What ``body`` raises itself goes through, and the connection is closed.
        """
        main = threading.current_thread() is threading.main_thread()
        if main:
            self._main_asks = True
        try:
            answer = self._ask(method, path, headers or {}, body, size)
        finally:
            if main:
                self._main_asks = False
        self._heard(answer)
        return answer

    def interrupt(self, error: Exception) -> None:
        """Raise the error, in a signal handler, if the main thread is in the middle of a request.

        Nothing is lost by it: an answer that was not read is asked for again. Other threads end by ``body``.
        """
        if self._main_asks:
            raise error

    def own_path(self, location: str) -> str | None:
        """Return the path in a Location, ``None`` when it leads to another server than ours."""
        parts = urlsplit(location)
        if parts.netloc and f"{parts.scheme}://{parts.netloc}" != self._origin:
            return None
        path = parts.path
        if not path.startswith("/") or not path.isascii() or any(ord(character) <= 32 for character in path):
            return None
        return path.removeprefix(self._base) if self._base and path.startswith(f"{self._base}/") else path

    def close(self) -> None:
        """End all connections."""
        self._pool.close()

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: Iterable[bytes] | bytes, size: int
    ) -> Answer:
        pool = self._current_pool()
        limit = self._config.read_timeout_s
        sent: dict[bytes | str, bytes | str] = {
            "Host": urlsplit(self._origin).netloc,
            "User-Agent": f"dce-play/{__version__}",
            "Accept": "application/json",
            "Authorization": f"Bearer {self._token}",
            "Content-Length": str(size),
        }
        sent.update(headers.items())
        if method in {"GET", "HEAD"}:
            del sent["Content-Length"]
        connect = self._config.connect_timeout_s
        timeouts = {"connect": connect, "read": limit, "write": limit, "pool": connect}
        self._guard.begin(math.inf if size else connect + 2 * limit)
        try:
            with pool.stream(
                method,
                f"{self._origin}{self._base}{path}",
                headers=sent,
                content=self._bounded(body, limit) if size else b"",
                extensions={"timeout": timeouts},
            ) as response:
                found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                data = b""
                for piece in response.iter_stream():
                    data += piece
                    if len(data) > LARGEST_BODY:
                        return _missing(NoAnswer.HALF, "the answer is too long")
                return Answer(status=response.status, headers=found, body=self._without_secrets(data))
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError) as error:
            return self._failure(error)

    def _without_secrets(self, data: bytes) -> bytes:
        """Return a body without our token: what repeats it must not carry it into logs, reasons and reports."""
        text = data.decode("utf-8", errors="surrogateescape")
        if not self._masker.reveals(text):
            return data
        return self._masker.mask(text).encode("utf-8", errors="surrogateescape")

    def _bounded(self, body: Iterable[bytes] | bytes, limit: float) -> Iterator[bytes]:
        """Yield the body, and begin the answer's time when it is all on its way, or nobody takes it any more."""
        try:
            yield from (body,) if isinstance(body, bytes) else body
        finally:
            self._guard.begin(2 * limit)

    def _failure(self, error: Exception) -> Answer:
        text = self._masker.mask(" ".join(str(error).split()))
        return _missing(kind_of(error), text or type(error).__name__)

    def _current_pool(self) -> httpcore2.ConnectionPool:
        """Return the pool of the files as they are now. Files that are just being replaced leave the old one."""
        with self._lock:
            self._token = self._new_token()
            stamp = stamp_of(self._config)
            if stamp != self._stamp:
                self._reload(stamp)
            return self._pool

    def _reload(self, stamp: Stamp) -> None:
        try:
            pool = self._make_pool(tls_context(self._config))
        except BadTlsFile:
            return  # half written: the next request looks again
        # The old pool is not closed: other threads may be in the middle of a request. Its last user ends it.
        self._pool, self._stamp = pool, stamp

    def _make_pool(self, context: ssl.SSLContext | None) -> httpcore2.ConnectionPool:
        return httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=self._config.concurrency,
            max_keepalive_connections=self._config.concurrency,
            keepalive_expiry=_IDLE_S,
            network_backend=GuardedBackend(self._guard),
        )

    def _new_token(self) -> str:
        try:
            return self._read_token()
        except NoReceiverToken:
            return self._token  # just being replaced; if not, the receiver will say so

    def _read_token(self) -> str:
        reference = self._config.token
        try:
            token = read_reference(reference, environment=self._environment, folder=self._config.path.parent).strip()
        except NoSecret as error:
            raise NoReceiverToken(reference, str(error)) from error
        if not token or not token.isascii() or any(not "!" <= character <= "~" for character in token):
            raise NoReceiverToken(reference, "a token has no blanks, line breaks or control characters")
        if len(token) < SHORTEST_SECRET:
            raise NoReceiverToken(reference, "it is too short for a token")
        if token != self._token:
            self._masker.add(token)
        return token


def kind_of(error: BaseException) -> NoAnswer:
    """Return what kind of failure an exception of the library, with its causes, is."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 10:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore2.TimeoutException):
        return NoAnswer.TIMEOUT
    for each in causes:
        if isinstance(each, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return NoAnswer.DISCONNECTED
        if isinstance(each, ssl.SSLError):
            return NoAnswer.TLS
        if isinstance(each, socket.gaierror):
            return NoAnswer.DNS
    if isinstance(error, httpcore2.ConnectError):
        return NoAnswer.RESET if any(isinstance(each, ConnectionResetError) for each in causes) else NoAnswer.REFUSED
    if isinstance(error, httpcore2.RemoteProtocolError):
        return NoAnswer.DISCONNECTED if "without sending a response" in str(error) else NoAnswer.HALF
    return NoAnswer.RESET


def _missing(kind: NoAnswer, detail: str) -> Answer:
    return Answer(missing=kind, detail=detail)
