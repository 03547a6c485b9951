"""A relay between a client and servers in turn, which may be slow to answer: a load balancer, or a distance.

Run: ``python -m benchmarks.relay [--delay-ms N] LISTEN TARGET…``. An address is a port of loopback or a socket's path;
it prints its own once it listens. Each connection goes to the next target; an answer's bytes come so much later.
"""

import argparse
import asyncio
import itertools
from contextlib import suppress

_PIECE_BYTES = 256 << 10


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Pass bytes on in their order, each piece when it has waited; pieces wait beside each other."""
    loop = asyncio.get_running_loop()
    late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def pass_on() -> None:
        while True:
            due, data = await late.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                return
            writer.write(data)
            await writer.drain()

    passing = asyncio.create_task(pass_on())
    with suppress(OSError):
        while data := await reader.read(_PIECE_BYTES):
            late.put_nowait((loop.time() + delay_s, data))
    late.put_nowait((loop.time(), b""))
    with suppress(OSError):
        await passing
        writer.write_eof()


async def _connect(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.isdigit():
        return await asyncio.open_connection("127.0.0.1", int(target))
    return await asyncio.open_unix_connection(target)


async def relay(listen: str, targets: list[str], delay_s: float) -> None:
    """Serve until it is killed."""
    turn = itertools.cycle(targets)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await _connect(next(turn))
        await asyncio.gather(_forward(reader, back, 0.0), _forward(there, writer, delay_s))
        for each in (writer, back):
            each.close()

    if listen.isdigit():
        server = await asyncio.start_server(serve, "127.0.0.1", int(listen))
    else:
        server = await asyncio.start_unix_server(serve, listen)
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
