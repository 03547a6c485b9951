"""What monitors that take HTTP are told, at most."""

import json

import pytest

from dce_play.host.monitoring.config import ServiceKind, State
from dce_play.host.monitoring.note import Note
from dce_play.host.monitoring.web import post
from tests.support.bounds import at_most
from tests.support.monitor_server import monitor_server

ADDRESS = at_most("host.monitoring.web:_LONGEST")
PHONE = at_most("host.monitoring.web:_LONGEST_FOR_PHONES")


@pytest.mark.parametrize(
    ("kind", "longest"),
    [(ServiceKind.HEALTHCHECKS, ADDRESS), (ServiceKind.WEBHOOK, ADDRESS), (ServiceKind.NTFY, PHONE)],
)
def test_a_long_recap_is_told_by_its_beginning_and_its_end(kind: ServiceKind, longest: int) -> None:
    around = len("t\n\n\n") if kind is ServiceKind.HEALTHCHECKS else 0  # its title, too

    def told(size: int) -> str:
        text = "first" + "é" * ((size - around - 9) // 2) + "x" * ((size - around - 9) % 2) + "last"
        note = Note(state=State.FAIL, title="t", text=text, playbook="p")
        with monitor_server() as monitor:
            post(note, kind, monitor.address, "", timeout_s=30)
        body = monitor.heard[0].body
        return str(json.loads(body)["text"]) if kind is ServiceKind.WEBHOOK else body

    whole, cut = told(longest), told(longest + 1)
    assert len(whole.encode()) == longest
    assert "[…]" not in whole
    assert longest - 32 < len(cut.encode()) <= longest
    assert "[…]" in cut
    assert "first" in cut
    assert cut.rstrip("\n").endswith("last")
