"""A TCP proxy that does to connections what networks do: delay, reset, half close, swallow, garble, trickle."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass


@dataclass(slots=True)
class Faults:
    """What the proxy does to each new connection. Change it while it runs."""

    port: int = 0
    latency_s: float = 0.0
    reset_after_bytes: int | None = None
    """Of what the client sends."""
    half_close_after_bytes: int | None = None
    """Close only the answer's direction, after so many bytes of it."""
    black_hole: bool = False
    """Take everything, pass on nothing, answer nothing."""
    garbage: bytes = b""
    """Answer with this, whatever comes."""
    trickle_s: float = 0.0
    """Pass the answer on byte by byte, with such a pause."""
    sent_bytes: int = 0
    """How much clients have sent in all."""
    connections: int = 0


def _reset(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    with suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)  # wakes the other direction


def _upstream(client: socket.socket, server: socket.socket, faults: Faults) -> None:
    left = faults.reset_after_bytes
    with suppress(OSError):
        while data := client.recv(65536):
            faults.sent_bytes += len(data)
            if left is not None and len(data) >= left:
                server.sendall(data[:left])
                time.sleep(0.05)  # let it arrive: what is lost behind a reset proves nothing
                _reset(client, server)
                return
            left = None if left is None else left - len(data)
            time.sleep(faults.latency_s)
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)


def _downstream(client: socket.socket, server: socket.socket, faults: Faults) -> None:
    passed = 0
    with suppress(OSError):
        while data := server.recv(1 if faults.trickle_s else 65536):
            limit = faults.half_close_after_bytes
            if limit is not None and passed + len(data) >= limit:
                client.sendall(data[: limit - passed])
                break
            client.sendall(data)
            passed += len(data)
            time.sleep(faults.trickle_s)
        client.shutdown(socket.SHUT_WR)


def _serve(client: socket.socket, target: tuple[str, int], faults: Faults, opened: list[socket.socket]) -> None:
    faults.connections += 1
    with client:
        client.settimeout(30)
        if faults.garbage or faults.black_hole:
            with suppress(OSError):
                while (data := client.recv(65536)) and not faults.garbage:
                    faults.sent_bytes += len(data)
                client.sendall(faults.garbage)
            return
        try:
            server = socket.create_connection(target, timeout=30)
        except OSError:
            return
        with server:
            opened.append(server)
            down = threading.Thread(target=_downstream, args=(client, server, faults), daemon=True)
            down.start()
            _upstream(client, server, faults)
            down.join(30)


@contextmanager
def fault_proxy(target_port: int) -> Iterator[Faults]:
    """Stand between a client and a server on loopback while the block runs."""
    faults = Faults()
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        faults.port = listener.getsockname()[1]

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    opened.append(client)
                    arguments = (client, ("127.0.0.1", target_port), faults, opened)
                    threads.append(threading.Thread(target=_serve, args=arguments, daemon=True))
                    threads[-1].start()

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[0].start()
        try:
            yield faults
        finally:
            for each in (listener, *opened):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(10)
