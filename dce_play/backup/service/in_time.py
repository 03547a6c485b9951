"""Answers that are whole in time, or none: a server that drips a byte a second is never silent, and never done.

The libraries below the probes time a silence. So a question is asked in a thread, whose answer counts only when it is
there in time. The thread ends with the process at the latest, and while it still waits no other is begun.
"""

import http.client
import ssl
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from dce_play.backup.definitions.model import HealthKeys
from dce_play.backup.facts import Health

_LARGEST_BYTES = 1 << 20
"""Of an answer's body: what sends more is well enough."""


class Questions:
    """Asks one question at a time."""

    def __init__(self) -> None:
        self._waiting: threading.Thread | None = None

    def ask(self, question: Callable[[], Health], *, within_s: float) -> Health | None:
        """Return the answer, or ``None`` when it is not there in time, or when the last question still waits for its.

        Whatever the question raises in time is raised here.
        """
        if self._waiting is not None and self._waiting.is_alive():
            return None
        answers: list[Health] = []
        failures: list[BaseException] = []

        def run() -> None:
            try:
                answers.append(question())
            except BaseException as error:  # noqa: BLE001 - it is raised where it was asked
                failures.append(error)

        thread = threading.Thread(target=run, name="probe", daemon=True)
        self._waiting = thread
        thread.start()
        thread.join(timeout=within_s)
        if thread.is_alive():
            return None
        if failures:
            raise failures[0]
        return answers[0]


def http_answers(keys: HealthKeys) -> bool:
    """Return whether a server gives the status that is wanted, and its answer to the end (or a mebibyte of it)."""
    parts = urlsplit(keys.http)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=keys.timeout)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        response = connection.getresponse()
        response.read(_LARGEST_BYTES)
    except (OSError, http.client.HTTPException, ssl.SSLError, ValueError):
        return False
    else:
        return response.status == keys.status
    finally:
        connection.close()
