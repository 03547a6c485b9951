"""Telling the service manager how we are: datagrams to the socket that ``NOTIFY_SOCKET`` names.

Source: sd_notify(3).
"""

import socket
from collections.abc import Mapping
from contextlib import suppress

_LONGEST_STATUS = 512


class Notifier:
    """Sends messages, each to the address anew, so that a socket that comes back is fed again. It never fails.

    Without an address it does nothing. A path is taken as it is; ``@name`` is a name in the abstract namespace.
    """

    def __init__(self, address: str | None) -> None:
        self._address = "\0" + address[1:] if address and address.startswith("@") else address

    def send(self, *lines: str) -> None:
        """Send lines such as ``READY=1`` in one datagram."""
        if not self._address:
            return
        message = "\n".join(lines).encode("utf-8", errors="replace")
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)  # a manager that does not read must not stop us
            sender.sendto(message, self._address)

    def ready(self, status: str = "") -> None:
        """Say that we serve."""
        self.send("READY=1", *_status(status))

    def watchdog(self) -> None:
        """Say that work goes on."""
        self.send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Tell people in one line what goes on."""
        self.send(*_status(text))

    def stopping(self) -> None:
        """Say that we end."""
        self.send("STOPPING=1")


def notifier_from(environment: Mapping[str, str]) -> Notifier:
    """Return the notifier of ``NOTIFY_SOCKET``."""
    return Notifier(environment.get("NOTIFY_SOCKET"))


def _status(text: str) -> tuple[str, ...]:
    return (f"STATUS={' '.join(text.split())[:_LONGEST_STATUS]}",) if text else ()
