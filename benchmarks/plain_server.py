"""The least that a receiver can do: take a PUT over TLS, write it, fsync it, answer 201. What we are measured against.

Run: ``python -m benchmarks.plain_server FOLDER CERT KEY``; prints its port.
"""

import os
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_PIECE = 1 << 20


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path

    def log_message(self, *_: object) -> None: ...

    def do_PUT(self) -> None:  # the library's name
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        left = int(self.headers["Content-Length"])
        with (self.folder / self.path.rpartition("/")[2]).open("wb") as file:
            while left:
                data = self.rfile.read(min(_PIECE, left))
                file.write(data)
                left -= len(data)
            file.flush()
            os.fsync(file.fileno())
        self.send_response_only(201)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    """Serve until killed."""
    folder, cert, key = sys.argv[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    handler = type("Handler", (_Handler,), {"folder": Path(folder)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
