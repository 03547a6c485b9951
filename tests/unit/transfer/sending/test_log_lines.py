"""Log lines: logfmt, priorities, blocks told once a minute, and no secret in any of them."""

import pytest

from dce_play.system.redact import Masker
from dce_play.transfer.sending.log_lines import Level, ShipLog, field
from tests.unit.transfer.sending.test_bandwidth import Clock


def log(lines: list[str], *, journal: bool = False, level: Level = Level.INFO) -> tuple[ShipLog, Clock]:
    clock = Clock()
    masker = Masker()
    masker.add("hunter2hunter2")
    return ShipLog(lines.append, masker=masker, clock=clock, level=level, journal=journal), clock


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        ("plain-1.x:/", "plain-1.x:/"),
        ("", ""),
        (3, "3"),
        ("two words", '"two words"'),
        ('a"b', '"a\\"b"'),
        ("a=b", '"a=b"'),
        ("a\nb\x1b", '"a\\nb\\x1b"'),
        ("back\\slash", '"back\\\\slash"'),
    ],
)
def test_a_value_is_quoted_where_needed(value: object, spelt: str) -> None:
    assert field(value) == spelt


def test_a_line_has_its_priority_under_journald_and_no_secret() -> None:
    lines: list[str] = []
    told, _ = log(lines, journal=True)
    told.event("ship.result", Level.ERROR, id="x", code="hunter2hunter2")
    told.event("ship.debug", Level.DEBUG)
    assert lines == ["<3>ship.result id=x code=***\n"]


@pytest.mark.contract("S9")
def test_the_same_block_is_told_once_a_minute_and_another_at_once() -> None:
    lines: list[str] = []
    told, clock = log(lines)
    told.fix(["one", "two\nthree"])
    told.fix(["one", "two\nthree"])
    told.fix(["four"])
    clock.sleep(61)
    told.fix(["one", "two\nthree"])
    block = ["ship.fix one\n", "ship.fix two\n", "ship.fix three\n"]
    assert lines == [*block, "ship.fix four\n", *block]
