"""What the shipper told its journal becomes rows in a fixed order, the worst first, each with its cure."""

import pytest

from dce_play.doctor.rows import Level
from dce_play.doctor.ship_journal import rows_of_journal

DEFAULT = ("cd /opt/dce-play && sudo -u dce-play git pull origin main",)


def result(http: int, outcome: str, code: str = "") -> str:
    return f'ship.result id=ep-1 http={http} code="{code}" outcome={outcome} ms=3'


def codes(messages: list[str], *, waiting: int = 0) -> list[tuple[str, str, int]]:
    rows = rows_of_journal(messages, unit="u.service", waiting=waiting, remediation=DEFAULT)
    return [(row.code, row.level, row.count) for row in rows]


@pytest.mark.contract("D2")
def test_problems_come_in_the_order_of_how_bad_they_are() -> None:
    messages = [
        result(503, "retry"),
        result(0, "retry"),
        result(422, "quarantined", "bad_meta"),
        result(409, "quarantined", "conflict"),
        result(401, "retry", "unauthorised"),
        "ship.paused why=auth",
        result(400, "quarantined", "missing_commit"),
        *[result(412, "quarantined", "commit_not_in_window")] * 12,
        result(201, "stored"),
    ]
    assert codes(messages) == [
        ("ship.gate", "red", 12),
        ("ship.bad_request", "red", 1),
        ("ship.auth", "red", 1),
        ("ship.refused", "red", 2),
        ("ship.transient", "yellow", 2),
    ]


@pytest.mark.contract("D2")
def test_twelve_rejections_are_told_in_the_operators_words() -> None:
    rows = rows_of_journal([result(412, "quarantined")] * 12, unit="u", waiting=0, remediation=DEFAULT)
    assert rows[0].what == "12 ships rejected as out of window"
    assert rows[0].fix == DEFAULT


@pytest.mark.contract("D3")
def test_the_newest_block_of_fixes_is_the_one_to_type() -> None:
    messages = [
        result(412, "quarantined"),
        "ship.fix cd /old",
        "ship.fix old second",
        result(412, "quarantined"),
        "ship.fix cd /new && git pull",
        "ship.fix sudo systemctl restart x",
    ]
    rows = rows_of_journal(messages, unit="u", waiting=0, remediation=DEFAULT)
    assert rows[0].fix == ("cd /new && git pull", "sudo systemctl restart x")


def test_a_held_episode_waits_for_the_gate() -> None:
    assert codes([result(412, "held"), result(0, "held")]) == [("ship.gate", "red", 2)]


def test_a_digest_that_does_not_fit_is_damage_on_the_way_first() -> None:
    assert codes([result(400, "retry", "digest_mismatch")]) == [("ship.transient", "yellow", 1)]


def test_a_pause_alone_is_told_too() -> None:
    assert codes(["ship.paused why=unreachable"]) == [("ship.transient", "yellow", 1)]
    assert codes(["ship.paused why=auth"]) == [("ship.auth", "red", 1)]


@pytest.mark.parametrize(
    ("messages", "waiting", "expected"),
    [
        ([result(201, "stored"), result(200, "duplicate")], 0, ("ship.clean", "green", 2)),
        ([], 0, ("ship.silent", "green", 0)),
        (["Started dce-play shipper."], 3, ("ship.silent", "yellow", 3)),
    ],
)
@pytest.mark.contract("D2")
def test_without_problems_there_is_one_row(messages: list[str], waiting: int, expected: tuple[str, str, int]) -> None:
    assert codes(messages, waiting=waiting) == [expected]


@pytest.mark.parametrize(
    "message",
    ["", "ship.result", "ship.result id=", 'ship.result id="a b" http=x outcome=', "ship.nothing x=1", "\x00" * 100],
)
def test_any_other_line_is_passed_over(message: str) -> None:
    rows = rows_of_journal([message], unit="u", waiting=0, remediation=DEFAULT)
    assert [row.level for row in rows] == [Level.GREEN]


def test_quoted_values_hold_blanks() -> None:
    line = 'ship.result id=a http=412 code="a b" outcome=quarantined ms=1'
    assert codes([line]) == [("ship.gate", "red", 1)]
