"""Sockets that never wait for long alone: every read asks first whether the request may still go on.

A peer can keep a client busy for ever without one long silence: a header a second, or a body whose blocks decode to
nothing. So the deadline, and the wish to stop, are looked at where bytes come in, under the HTTP library and above TLS.
"""

import math
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2

from dce_play.system.clock import Clock

_SLICE_S = 0.5
"""The longest wait for bytes before the request is looked at again."""
_KEPT_ALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class TooSlow(httpcore2.ReadTimeout):
    """The whole answer was not there in time."""

    def __init__(self) -> None:
        super().__init__("the answer takes too long")


class Guard(threading.local):
    """What the request of this thread may take. One thread has one request under way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beat: Callable[[], None] = lambda: None
        self._ends_at = math.inf

    def begin(self, total_s: float, beat: Callable[[], None] = lambda: None) -> None:
        """Start the time of a request. ``beat`` is called at every look, and may raise to stop."""
        self._beat = beat
        self._ends_at = self._clock.monotonic() + total_s

    def look(self) -> None:
        """Let the request go on. Raises: TooSlow, or whatever ``beat`` raises."""
        self._beat()
        if self._clock.monotonic() > self._ends_at:
            raise TooSlow


class GuardedBackend(httpcore2.SyncBackend):
    """Opens guarded connections, which the system keeps alive: a peer that is gone without a word is noticed."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        self._guard.look()
        stream = super().connect_tcp(host, port, timeout, local_address, [*(socket_options or ()), _KEPT_ALIVE])
        return GuardedStream(stream, self._guard)


class GuardedStream(httpcore2.NetworkStream):
    """A connection whose reads wait in slices."""

    def __init__(self, stream: httpcore2.NetworkStream, guard: Guard) -> None:
        self._stream = stream
        self._guard = guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        silent_s = 0.0
        while True:
            self._guard.look()
            slice_s = _SLICE_S if timeout is None else min(_SLICE_S, timeout - silent_s)
            try:
                return self._stream.read(max_bytes, slice_s)
            except httpcore2.ReadTimeout:
                silent_s += slice_s
                if timeout is not None and silent_s >= timeout:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._guard.look()
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return GuardedStream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._guard)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
