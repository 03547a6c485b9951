"""What answers mean, over every status, and how long they let us wait."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.connection.answer import Answer, NoAnswer
from dce_play.transfer.sending.connection.verdict import Outcome, judge

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ONE = EpisodeId("one")
FATAL = {400, 409, 411, 412, 413, 415, 422}


def judged(answer: Answer, on_gate: str = "quarantine") -> Outcome:
    return judge(answer, identifier=ONE, digest="sha256:1", on_gate=on_gate, now=NOW).outcome


@pytest.mark.contract("S3")
@given(st.integers(100, 599), st.binary(max_size=40), st.sampled_from(["quarantine", "hold"]))
def test_only_a_receipt_stores_and_only_what_is_fatal_is_quarantined(status: int, body: bytes, on_gate: str) -> None:
    outcome = judged(Answer(status=status, body=body), on_gate)
    expected = Outcome.QUARANTINED if status in FATAL else Outcome.RETRY
    if (status, on_gate) == (412, "hold"):
        expected = Outcome.HELD
    assert outcome is expected


@pytest.mark.contract("S2")
def test_our_receipt_stores_and_another_digest_is_an_alarm() -> None:
    ours = json.dumps({"id": "one", "manifest_digest": "sha256:1"}).encode()
    theirs = json.dumps({"id": "one", "manifest_digest": "sha256:2"}).encode()
    assert judged(Answer(status=201, body=ours)) is Outcome.STORED
    assert judged(Answer(status=200, body=ours)) is Outcome.DUPLICATE
    assert judged(Answer(status=200, body=theirs)) is Outcome.QUARANTINED


@pytest.mark.contract("S3")
@pytest.mark.parametrize("missing", list(NoAnswer))
def test_without_an_answer_it_is_tried_again_and_only_an_unreachable_receiver_pauses_all(missing: NoAnswer) -> None:
    verdict = judge(Answer(missing=missing), identifier=ONE, digest="x", on_gate="hold", now=NOW)
    assert (verdict.outcome, verdict.http, verdict.in_a_row) == (Outcome.RETRY, 0, True)
    assert (verdict.pause == "unreachable") is (missing in {NoAnswer.REFUSED, NoAnswer.DNS, NoAnswer.TLS})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        (" 7 ", 7.0),
        ("Sat, 28 Nov 2026 12:01:00 GMT", 60.0),
        ("Sat, 28 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert Answer(status=503, headers={"retry-after": text}).retry_after_s(NOW) == seconds


def test_a_date_is_measured_by_the_receivers_own_clock() -> None:
    headers = {"date": "Sat, 28 Nov 2020 12:00:00 GMT", "retry-after": "Sat, 28 Nov 2020 12:02:00 GMT"}
    assert Answer(status=503, headers=headers).retry_after_s(NOW + timedelta(days=3650)) == 120.0
