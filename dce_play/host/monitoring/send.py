"""Telling monitors: all at once, within a time that is theirs together. Nothing raises; who was not told is returned.

Each is spoken to in a thread of its own, which is left behind when its time is over: no HTTP library bounds how long an
answer may take to drip in, or a name to be looked up. Only the head of an answer is read.
"""

import threading
import time
from collections.abc import Callable, Iterable

import msgspec

from dce_play.errors import DcePlayError
from dce_play.host.monitoring.config import Service, ServiceKind
from dce_play.host.monitoring.note import Note, NotTaken
from dce_play.host.monitoring.web import post


class NotTold(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor that did not take it, and why. No secret is in it."""

    service: ServiceKind
    reason: str


Resolve = Callable[[str], str]
"""Returns the secret behind a reference, and has it masked.

Raises: DcePlayError.
"""


def tell(messages: Iterable[tuple[Service, Note]], *, timeout_s: float, resolve: Resolve) -> tuple[NotTold, ...]:
    """Tell each service its note, whatever states it wants to hear of; return those that were not told."""
    ends_at = time.monotonic() + timeout_s
    waiting = [(service, _Telling(note, service, timeout_s, resolve)) for service, note in messages]
    return tuple(
        NotTold(service=service.kind, reason=reason)
        for service, telling in waiting
        if (reason := telling.reason_by(ends_at))
    )


class _Telling:
    """One service being told, in a thread that may be left behind."""

    def __init__(self, note: Note, service: Service, timeout_s: float, resolve: Resolve) -> None:
        self._timeout_s = timeout_s
        self._reason = ""
        self._thread: threading.Thread | None = None
        try:
            addresses = [resolve(each) for each in service.addresses]
            token = resolve(service.token) if service.token else ""
        except DcePlayError as error:
            self._reason = str(error)
            return
        self._thread = threading.Thread(
            target=self._work, args=(note, service.kind, addresses, token), name=f"monitor {service.kind}", daemon=True
        )
        self._thread.start()

    def _work(self, note: Note, kind: ServiceKind, addresses: list[str], token: str) -> None:
        try:
            if kind is ServiceKind.APPRISE:
                from dce_play.host.monitoring.apprise_library import notify  # an extra, 300 ms to import

                notify(note, addresses)
            else:
                post(note, kind, addresses[0], token, timeout_s=self._timeout_s)
        except NotTaken as error:
            self._reason = str(error)
        except Exception as error:  # noqa: BLE001 - a monitor never ends a run, and its address stays unsaid
            self._reason = f"it could not be told ({type(error).__name__})"

    def reason_by(self, ends_at: float) -> str:
        """Return why it was not told, at the latest at a time; empty when it was."""
        if self._thread is None:
            return self._reason
        self._thread.join(max(0.0, ends_at - time.monotonic()))
        return f"no answer within {self._timeout_s:g} s" if self._thread.is_alive() else self._reason
