"""What the simulator sends back: a status, headers, and JSON or bytes."""

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. A body that is not bytes is sent as JSON."""

    status: int
    body: object
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"

    @property
    def data(self) -> bytes:
        """The body as it goes over the wire."""
        return self.body if isinstance(self.body, bytes) else msgspec.json.encode(self.body)

    def start(self, length: int) -> dict[str, object]:
        """Return ASGI's first message, which announces this many bytes."""
        headers = [(b"content-type", self.content_type.encode()), (b"content-length", str(length).encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in self.headers]
        return {"type": "http.response.start", "status": self.status, "headers": headers}
