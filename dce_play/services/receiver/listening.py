"""Sockets, and serving an application on them with our own protocol until told to stop."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path
from typing import Any, ClassVar

from uvicorn.config import Config
from uvicorn.server import ServerState

from dce_play.errors import DcePlayError, ExitCode
from dce_play.services.receiver.connection import ReceiverProtocol
from dce_play.transfer.receiving.config_keys import Address

BACKLOG = 1024
KEEP_ALIVE_S = 30
LONGEST_HEADERS_BYTES = 32 << 10
_TLS_SHUTDOWN_S = 2.0


class CannotListen(DcePlayError):
    """An address cannot be had."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, address: Address, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}", hint="who has it: ss -ltnp")


def open_socket(address: Address) -> socket.socket:
    """Return a socket that listens.

    Raises: CannotListen.
    """
    try:
        if address.path is not None:
            return _unix_socket(address.path)
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address.host, address.port))
        opened.listen(BACKLOG)
    except OSError as error:
        raise CannotListen(address, (error.strerror or str(error)).lower()) from error
    return opened


def shown_address(opened: socket.socket) -> str:
    """Return where a socket listens, as it would stand in the configuration."""
    name = opened.getsockname()
    if isinstance(name, tuple):
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
    return f"unix:{name}"


def _unix_socket(path: Path) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with suppress(FileNotFoundError):
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(str(path)) == 0:
                    raise OSError(0, "another process listens there")
            path.unlink()
    opened.bind(str(path))
    os.chmod(path, 0o660)  # noqa: PTH101 - the path is a socket's
    opened.listen(BACKLOG)
    return opened


class Listener:
    """One application on one socket."""

    def __init__(self, app: Callable[..., Any], *, header_timeout_s: float, most_connections: int) -> None:
        self._config = Config(
            app=app,
            http=ReceiverProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=LONGEST_HEADERS_BYTES,
        )
        self._config.load()
        self._state = ServerState()
        self._header_timeout_s = header_timeout_s
        self._protocol = type(
            "BoundProtocol",
            (ReceiverProtocol,),
            {"header_timeout_s": header_timeout_s, "most_connections": most_connections},
        )
        self._server: asyncio.Server | None = None
        self._dates: asyncio.Task[None] | None = None

    async def start(self, opened: socket.socket, context: ssl.SSLContext | None) -> None:
        """Begin to serve."""
        loop = asyncio.get_running_loop()
        self._set_date()
        self._dates = loop.create_task(self._keep_date())

        def protocol() -> asyncio.Protocol:
            made: asyncio.Protocol = self._protocol(self._config, self._state, {}, loop)
            return made

        self._server = await loop.create_server(
            protocol,
            sock=opened,
            ssl=context,
            backlog=BACKLOG,
            ssl_handshake_timeout=self._header_timeout_s if context else None,
            ssl_shutdown_timeout=_TLS_SHUTDOWN_S if context else None,
        )

    def stop_accepting(self) -> None:
        """Take no new connections, and close those that wait for a request."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()

    async def finish(self, within_s: float) -> None:
        """Give running requests their time, then end them."""
        tasks = set(self._state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=2.0)
        if self._dates is not None:
            self._dates.cancel()
        for connection in list(self._state.connections):
            connection.transport.close()
        await asyncio.sleep(0)

    async def _keep_date(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._set_date()

    def _set_date(self) -> None:
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
