"""A TCP proxy on loopback that passes everything on until a client sends a certain text, and then nothing any more."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class FreezingProxy:
    """A proxy. ``frozen`` is set once it has stopped; what it stopped at was not passed on."""

    port: int
    frozen: threading.Event = field(default_factory=threading.Event)


@contextmanager
def freezing_proxy(target_port: int, *, at: bytes, nth: int = 1) -> Iterator[FreezingProxy]:
    """Run one in front of a port; it freezes where the text is sent for the so manieth time."""
    listening = socket.create_server(("127.0.0.1", 0))
    proxy = FreezingProxy(port=listening.getsockname()[1])
    seen = 0
    opened: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket, *, is_client: bool) -> None:
        nonlocal seen
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if is_client:
                    seen += data.count(at)
                    if seen >= nth:
                        proxy.frozen.set()
                if proxy.frozen.is_set():
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.create_connection(("127.0.0.1", target_port))
                opened.extend((client, server))
                for pair in ((client, server, True), (server, client, False)):
                    threading.Thread(target=pump, args=pair[:2], kwargs={"is_client": pair[2]}, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield proxy
    finally:
        for each in (listening, *opened):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
