"""A unix-socket proxy in front of a PostgreSQL server that tells of every message of a client before it is passed on.

Source: PostgreSQL documentation, "Message Formats": a first message without a kind, then kind, length, contents.
"""

import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NAME = ".s.PGSQL.5432"
_Pair = tuple[socket.socket, socket.socket]
_GOODBYE = b"X"


def _end(pair: _Pair) -> None:
    for each in pair:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _to_server(pair: _Pair, hear: Callable[[bytes], bool]) -> None:
    client, server = pair
    with suppress(OSError), client.makefile("rb") as stream:
        kind = b""
        while len(size := stream.read(4)) == 4:
            body = stream.read(struct.unpack("!I", size)[0] - 4)
            if kind != _GOODBYE and not hear(body):
                _end(pair)
                return
            server.sendall(kind + size + body)
            kind = stream.read(1)
        server.shutdown(socket.SHUT_WR)


def _to_client(pair: _Pair) -> None:
    client, server = pair
    with suppress(OSError):
        while data := server.recv(1 << 16):
            client.sendall(data)
        client.shutdown(socket.SHUT_WR)


@contextmanager
def postgres_proxy(target: Path, hear: Callable[[bytes], bool]) -> Iterator[Path]:
    """Run one in front of the server whose socket lies in a folder; give the folder of its own socket.

    ``hear`` is called with its contents, one call at a time, before each message of a client but its goodbye is passed
    on: ``False`` ends the connection instead.
    """
    folder = Path(tempfile.mkdtemp(prefix="dce-proxy-", dir="/tmp"))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / _NAME))
    listening.listen(16)
    pairs: list[_Pair] = []
    threads: list[threading.Thread] = []
    turn = threading.Lock()

    def in_turn(body: bytes) -> bool:
        with turn:
            return hear(body)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(target / _NAME))
                pairs.append((client, server))
                for work in ((_to_server, (client, server), in_turn), (_to_client, (client, server))):
                    threads.append(threading.Thread(target=work[0], args=work[1:], daemon=True))
                    threads[-1].start()

    door = threading.Thread(target=serve, daemon=True)
    door.start()
    try:
        yield folder
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        door.join(timeout=10.0)
        for pair in pairs:
            _end(pair)
        for thread in threads:
            thread.join(timeout=10.0)
        for each in (listening, *(one for pair in pairs for one in pair)):
            each.close()
        shutil.rmtree(folder)
