"""What came of one request: an answer with its status, or none and why."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import msgspec

LARGEST_BODY = 1 << 20
"""Bytes of an answer that are read; a receipt has less than a thousandth of it."""
_CODE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z", re.ASCII)


class NoAnswer(StrEnum):
    """Why there was no whole answer."""

    REFUSED = "refused"
    DNS = "dns"
    TLS = "tls"
    """The handshake failed, or an alert ended the connection."""
    DISCONNECTED = "disconnected"
    """The connection ended before the first byte of an answer."""
    RESET = "reset"
    TIMEOUT = "timeout"
    HALF = "half_answer"
    """The answer is cut, too long or no HTTP."""


_UNREACHABLE = frozenset({NoAnswer.REFUSED, NoAnswer.DNS, NoAnswer.TLS})


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver's answer; ``status`` is 0 and ``missing`` says why when there was none."""

    status: int = 0
    headers: Mapping[str, str] = {}
    """By lower-case name."""
    body: bytes = b""
    missing: NoAnswer | None = None
    detail: str = ""
    """For people; for what is missing, what the library said."""

    @property
    def unreachable(self) -> bool:
        """Return whether no receiver was reached at all: connection refused, DNS, TLS."""
        return self.missing in _UNREACHABLE

    @property
    def problem(self) -> dict[str, Any] | None:
        """Return the body as a problem, when it is an object with a code or a type, else ``None``."""
        value = self.json
        if not isinstance(value, dict) or not isinstance(value.get("code", value.get("type")), str):
            return None
        return value

    @property
    def code(self) -> str:
        """Return the problem's code, or an empty text."""
        code = (self.problem or {}).get("code")
        return code if isinstance(code, str) and _CODE.match(code) else ""

    @property
    def fix(self) -> list[str]:
        """Return the problem's lines that can be pasted."""
        lines = (self.problem or {}).get("fix")
        return [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []

    @property
    def json(self) -> Any:
        """Return the body as JSON, ``None`` when it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None

    @property
    def date(self) -> datetime | None:
        """Return the receiver's clock, or ``None``."""
        return _http_date(self.headers.get("date", ""))

    def retry_after_s(self, now: datetime) -> float | None:
        """Return the seconds that the receiver asks us to wait. A date is measured by the receiver's own clock."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:12])
        moment = _http_date(text)
        return max(0.0, (moment - (self.date or now)).total_seconds()) if moment else None


def _http_date(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
