"""A TCP proxy on loopback that hands HTTP on and changes what comes back."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Tamper = Callable[[bytes, bytes], bytes | None]
"""Gets the request's first line and a piece of the answer; returns what to hand on, or None to cut the connection."""


class Last(bytes):
    """A piece of an answer after which the connection is cut."""


@contextmanager
def tampering(port: int, tamper: Tamper) -> Iterator[int]:
    """Run the proxy while the block runs; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_hand_on, args=(client, port, tamper), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)


def _hand_on(client: socket.socket, port: int, tamper: Tamper) -> None:
    request = [b""]
    with client, socket.create_connection(("127.0.0.1", port)) as upstream:
        back = threading.Thread(target=_answers, args=(client, upstream, request, tamper), daemon=True)
        back.start()
        with suppress(OSError):
            while piece := client.recv(1 << 16):
                line = piece.split(b"\r\n", 1)[0]
                if line.endswith(b"HTTP/1.1"):
                    request[0] = line
                upstream.sendall(piece)
            upstream.shutdown(socket.SHUT_WR)
        back.join(timeout=30)


def _answers(client: socket.socket, upstream: socket.socket, request: list[bytes], tamper: Tamper) -> None:
    with suppress(OSError):
        while piece := upstream.recv(1 << 16):
            changed = tamper(request[0], piece)
            if changed is None:
                break
            client.sendall(changed)
            if isinstance(changed, Last):
                break
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
