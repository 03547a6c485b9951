"""One connection: uvicorn's HTTP/1.1, and what it lacks.

It hands on the client's certificate, gives a request's headers only so much time, and says what it cannot understand
as a problem that can be read. uvicorn 0.54 does none of the three.
"""

import asyncio
import ipaddress
import json
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from dce_play.services.receiver.body.long_body import LongBody
from dce_play.services.receiver.exchange import new_request_id
from dce_play.services.receiver.identity import peer_certificate
from dce_play.services.receiver.refusals import Refused
from dce_play.transfer.wire import PROBLEM_TYPE

LINGER_S = 1.0
"""How long a connection stays open after an answer to what was not read to its end."""


class ReceiverProtocol(H11Protocol, asyncio.BufferedProtocol):
    """The protocol of one connection."""

    header_timeout_s = 10.0
    most_connections = 4096

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._header_timer: asyncio.TimerHandle | None = None
        self._over = False
        self._long_body: LongBody

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Note who is there, and start the clock."""
        super().connection_made(transport)
        self._long_body = LongBody(self.loop, self.conn, self.flow)
        ssl_object = transport.get_extra_info("ssl_object")
        self.app_state = {
            **self.app_state,
            "certificate": peer_certificate(ssl_object.getpeercert()) if ssl_object else None,
            "peer_is_local": _is_local(transport.get_extra_info("peername")),
        }
        if len(self.connections) > self.most_connections:
            transport.abort()
            return
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_timer()
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the library's signature
        """Return where the next bytes are to go."""
        return self._long_body.room(None if self._over else self.cycle)

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes that came."""
        data = self._long_body.took(nbytes)
        if data:
            self.data_received(data)
        elif data is not None:
            self.handle_events()

    def eof_received(self) -> None:
        """Hand over what came before the other side closed."""
        self._long_body.hand_over()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the clock runs while they are a request's headers."""
        if self._over:
            return
        before = self.cycle
        if self._header_timer is None and self._between_requests():
            self._start_timer()
        super().data_received(data)
        if self.cycle is not before:
            self._stop_timer()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request that we understand."""
        self._refuse(Refused("bad_header", msg.rstrip(".").lower()))

    def _too_slow(self) -> None:
        self._header_timer = None
        if self.transport.is_closing() or self._over:
            return
        detail = f"the headers did not come within {self.header_timeout_s:g} s"
        self._refuse(Refused("too_slow", detail))

    def _refuse(self, refused: Refused) -> None:
        self._stop_timer()
        self._over = True
        body = json.dumps(refused.body).encode() + b"\n"
        headers = [
            *self.server_state.default_headers,
            (b"content-type", PROBLEM_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", new_request_id().encode()),
            (b"connection", b"close"),
        ]
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            response = h11.Response(status_code=refused.status, headers=headers)
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.loop.call_later(LINGER_S, self.transport.close)

    def _between_requests(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _start_timer(self) -> None:
        self._header_timer = self.loop.call_later(self.header_timeout_s, self._too_slow)

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


def _is_local(peer: object) -> bool:
    if isinstance(peer, tuple) and peer:
        try:
            return ipaddress.ip_address(str(peer[0])).is_loopback
        except ValueError:
            return False
    return isinstance(peer, str | bytes)
