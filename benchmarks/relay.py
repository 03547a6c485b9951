"""A relay between a client and servers in turn, which may be slow to answer: a load balancer, or a distance.

Run: ``python -m benchmarks.relay [--delay-ms N] LISTEN TARGET…``. An address is a port of loopback or a socket's path;
it prints its own once it listens. Each connection goes to the next target; an answer's bytes come so much later.
"""

import argparse
import asyncio
import itertools
from typing import cast


class _Side(asyncio.Protocol):
    """One end of a connection: what comes here goes to the other end, so much later."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._early: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def join(self, other: "_Side") -> None:
        """Pass on to another end, what came before too."""
        self.other = other
        for data in self._early:
            self.data_received(data)

    def data_received(self, data: bytes) -> None:
        if self.other is None or self.other.transport is None:
            self._early.append(data)
        elif self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self.other.transport.write, data)
        else:
            self.other.transport.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            asyncio.get_running_loop().call_later(self._delay_s, self.other.transport.close)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()


async def relay(listen: str, targets: list[str], delay_s: float) -> None:
    """Serve until it is killed. A target that is not there is passed over."""
    loop = asyncio.get_running_loop()
    turn = itertools.cycle(targets)
    joining: set[asyncio.Task[None]] = set()

    class Near(_Side):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            task = loop.create_task(reach(self))
            joining.add(task)
            task.add_done_callback(joining.discard)

    async def reach(near: _Side) -> None:
        far = _Side(delay_s)
        for target in itertools.islice(turn, len(targets)):
            try:
                if target.isdigit():
                    await loop.create_connection(lambda: far, "127.0.0.1", int(target))
                else:
                    await loop.create_unix_connection(lambda: far, target)
            except OSError:
                continue
            far.join(near)
            near.join(far)
            return
        if near.transport is not None:
            near.transport.close()

    if listen.isdigit():
        server = await loop.create_server(lambda: Near(0.0), "127.0.0.1", int(listen))
    else:
        server = await loop.create_unix_server(lambda: Near(0.0), listen)
    print(server.sockets[0].getsockname()[1] if listen.isdigit() else listen, flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("listen")
    parser.add_argument("targets", nargs="+")
    given = parser.parse_args()
    asyncio.run(relay(given.listen, given.targets, given.delay_ms / 1000))


if __name__ == "__main__":
    main()
