"""A place where something listens and nobody accepts: being connected to it takes for ever."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deaf_server() -> Iterator[int]:
    """Yield the port of a listener on 127.0.0.1 whose queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        held: list[socket.socket] = []
        try:
            while len(held) < 3:  # one more than the queue takes, so that no later one gets in
                held.append(socket.socket())
                held[-1].setblocking(False)
                held[-1].connect_ex(listener.getsockname())
            yield listener.getsockname()[1]
        finally:
            for each in held:
                each.close()
