"""Connections to media servers: never to a private address, whatever a name resolves to, and with nothing to hide.

The address that was looked at is the one that is connected to, so a name cannot lead elsewhere in between.
"""

import socket
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2

from dce_play import __version__
from dce_play.discord.media_store.hosts import Hosts, MediaRefused, is_public
from dce_play.system.clock import Clock
from dce_play.system.guarded_network import Guard, GuardedBackend

_CONNECT_S = 10.0
_SILENCE_S = 30.0


class PrivateAddress(MediaRefused):
    """A name leads to this machine or into the local network."""


class MediaBackend(GuardedBackend):
    """Opens connections to public addresses, and to servers that were named by their own address."""

    def __init__(self, guard: Guard, hosts: Hosts) -> None:
        super().__init__(guard)
        self._hosts = hosts

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect. Raises: PrivateAddress, and what the library raises."""
        if self._hosts.may_be_private(host, port):
            return super().connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host} has no address: {error}") from error
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not addresses or not all(map(is_public, addresses)):
            raise PrivateAddress(f"{host} leads to a private address")
        failure: Exception = httpcore2.ConnectError(host)
        for address in addresses:
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class MediaNetwork:
    """The connections of one run. ``close`` ends them."""

    failures = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError)

    def __init__(self, hosts: Hosts, *, clock: Clock, connections: int) -> None:
        self._guard = Guard(clock)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=15.0,
            network_backend=MediaBackend(self._guard, hosts),
        )

    def begin(self, total_s: float, beat: Callable[[], None]) -> None:
        """Start the time of a request of this thread; ``beat`` is called meanwhile and may raise to stop."""
        self._guard.begin(total_s, beat)

    def stream(self, url: str, headers: dict[str, str]) -> Any:
        """Return the response as a context, its body unread. No header of ours says who asks.

        Raises: PrivateAddress; one of ``failures``.
        """
        sent = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"dce-play/{__version__}", **headers}
        patience = {"connect": _CONNECT_S, "read": _SILENCE_S, "write": _SILENCE_S, "pool": 600.0}
        return self._pool.stream("GET", url, headers=list(sent.items()), extensions={"timeout": patience})

    def close(self) -> None:
        """End all connections."""
        self._pool.close()
