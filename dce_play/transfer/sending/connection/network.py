"""Connections whose every wait is bounded, also against a peer that sends one byte at a time.

The library's time-outs begin anew with each byte. Here each exchange has a deadline besides, which reading keeps.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore2


class Deadline(threading.local):
    """The moment (monotonic) up to which the thread's exchange may go on reading."""

    at = float("inf")


class BoundedBackend(httpcore2.NetworkBackend):
    """Opens connections that keep the deadline of the thread that uses them."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        options = [*(socket_options or ()), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        stream = self._inner.connect_tcp(host, port, timeout, local_address, options)
        return BoundedStream(stream, self._deadline)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.NetworkStream:
        return BoundedStream(self._inner.connect_unix_socket(path, timeout, socket_options), self._deadline)


class BoundedStream(httpcore2.NetworkStream):
    """One connection."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._deadline.at - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the answer takes too long")
        return self._inner.read(max_bytes, left if timeout is None else min(timeout, left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return BoundedStream(self._inner.start_tls(ssl_context, server_hostname, timeout), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
