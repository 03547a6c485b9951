"""The ways in which the simulated API says no, and how it reads a query's numbers."""

from collections.abc import Mapping


class SimulatedRefusal(Exception):
    """An answer that is not 200, with Discord's own error code."""

    def __init__(self, status: int, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message, "code": code}


FORBIDDEN = SimulatedRefusal(403, "Missing Access", 50001)
UNAUTHORIZED = SimulatedRefusal(401, "401: Unauthorized")


def unknown(what: str, code: int) -> SimulatedRefusal:
    """Return a 404 for something that does not exist."""
    return SimulatedRefusal(404, f"Unknown {what}", code)


def invalid(message: str = "Invalid Form Body", code: int = 50035) -> SimulatedRefusal:
    """Return a 400."""
    return SimulatedRefusal(400, message, code)


def number_of(query: Mapping[str, str], name: str) -> int | None:
    """Return a snowflake from the query, ``None`` when it is not there. Raises: SimulatedRefusal."""
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) < 1 << 64):
        raise invalid()
    return int(text)


def limit_of(query: Mapping[str, str], *, default: int, most: int) -> int:
    """Return the page size asked for. Raises: SimulatedRefusal."""
    limit = number_of(query, "limit")
    if limit is None:
        return default
    if not 1 <= limit <= most:
        raise invalid()
    return limit
