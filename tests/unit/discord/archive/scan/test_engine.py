"""The engines: one method, the same answers."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from dce_play.discord.archive.scan.engine import ENGINES, Engine, NotMessages, fastest_engine

GOOD = {
    b"[]": [],
    b' [ {"id": "1", "timestamp": "t"} ] ': ["1"],
    b'[{"timestamp":"","id":"2"},{"id":"x","timestamp":"t","a":[{"id":3}]}]': ["2", "x"],
}
BAD = [
    b"", b"[", b"[]]", b"[],", b"[1]", b"[null]", b"[[]]", b"[{}]", b'["id"]', b'[{"id": "1"}]',
    b'[{"id": 1, "timestamp": "t"}]', b'[{"id": "1", "timestamp": null}]', b'[{"id": "1", "timestamp": "t"},]',
    b'[,{"id": "1", "timestamp": "t"}]', b'[{"id": "1", "timestamp": "t", "x": "\xff"}]',
    b'[{"id": "1", "timestamp": "t", "x": NaN}]', b'[{"id": "1", "timestamp": "t", "x": "\x01"}]',
    b'[{"id": "1", "timestamp": "t"}] x', b'[{"id": "1", "timestamp": "t", "\xc3": 1}]',
]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_tells_the_ids_of_messages_and_refuses_all_else(engine: Callable[[], Engine]) -> None:
    """One engine object after another answer, as a scan uses it: a refusal leaves it usable."""
    used = engine()
    for bad in BAD:
        for good, ids in GOOD.items():
            with pytest.raises(NotMessages):
                used.ids(memoryview(bytearray(bad)))
            assert used.ids(memoryview(bytearray(good))) == ids


def test_the_fastest_that_is_installed_is_taken() -> None:
    assert fastest_engine().name == "simdjson"
    program = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None
from dce_play.discord.archive.scan.engine import fastest_engine
print(fastest_engine().name)
"""
    for missing, name in ((["simdjson"], "msgspec"), (["simdjson", "msgspec"], "json")):
        command = [sys.executable, "-c", program, *missing]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == name
