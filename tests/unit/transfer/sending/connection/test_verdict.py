"""What answers mean, over every status, and how long they let us wait."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.connection.answer import Answer, NoAnswer
from dce_play.transfer.sending.connection.verdict import Outcome, Verdict, judge, retry

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


def told(status: int, **problem: object) -> Answer:
    return Answer(status=status, headers={"retry-after": "7"}, body=json.dumps(problem).encode())


@pytest.mark.contract("S3")
@pytest.mark.parametrize(
    ("status", "problem", "more"),
    [
        (401, {}, {"outcome": Outcome.RETRY, "pause": "auth", "retry_after_s": 7.0}),
        (403, {}, {"outcome": Outcome.RETRY, "pause": "auth", "retry_after_s": 7.0}),
        (
            409,
            {"stored": {"manifest_digest": "sha256:2"}},
            {"outcome": Outcome.QUARANTINED, "code": "conflict", "theirs": "sha256:2"},
        ),
        (409, {"stored": {"manifest_digest": 2}}, {"outcome": Outcome.QUARANTINED, "code": "conflict"}),
        (409, {"stored": "it"}, {"outcome": Outcome.QUARANTINED, "code": "conflict"}),
        (400, {"code": "digest_mismatch"}, {"outcome": Outcome.RETRY, "code": "digest_mismatch", "damaged": True}),
        (400, {}, {"outcome": Outcome.QUARANTINED}),
        (422, {"code": "digest_mismatch"}, {"outcome": Outcome.QUARANTINED, "code": "digest_mismatch"}),
        (408, {}, {"outcome": Outcome.RETRY, "retry_after_s": 7.0}),
        (429, {}, {"outcome": Outcome.RETRY, "retry_after_s": 7.0, "in_a_row": True}),
        (500, {}, {"outcome": Outcome.RETRY, "retry_after_s": 7.0}),
        (503, {}, {"outcome": Outcome.RETRY, "retry_after_s": 7.0, "in_a_row": True}),
        (599, {}, {"outcome": Outcome.RETRY, "retry_after_s": 7.0}),
        (499, {}, {"outcome": Outcome.RETRY, "retry_after_s": 7.0, "unexpected": True}),
        (204, {}, {"outcome": Outcome.RETRY, "retry_after_s": 7.0, "unexpected": True}),
    ],
)
def test_a_refusal_says_what_follows_and_passes_on_what_the_receiver_said(
    status: int, problem: dict[str, object], more: dict[str, Any]
) -> None:
    said = {"code": "why", "detail": "in words", "title": "Why", "fix": ["one", 2, "three"]} | problem
    answer = told(status, **said)
    verdict = judge(answer, identifier=ONE, digest="sha256:1", on_gate="quarantine", now=NOW)
    expected: dict[str, Any] = {
        "http": status,
        "code": "why",
        "detail": "in words",
        "problem": said,
        "fix": ["one", "three"],
    }
    assert verdict == Verdict(**(expected | more))


@pytest.mark.parametrize(
    ("problem", "code", "detail"),
    [
        ({"type": "about:blank", "title": "Why"}, "http_500", "Why"),
        ({"code": "why", "detail": 3, "title": "Why"}, "why", "Why"),
        ({"code": "why"}, "why", ""),
        ({"code": "No Code"}, "http_500", ""),
        ({}, "http_500", ""),
    ],
)
def test_a_refusal_without_words_or_code_is_named_after_its_status(
    problem: dict[str, object], code: str, detail: str
) -> None:
    verdict = judge(told(500, **problem), identifier=ONE, digest="sha256:1", on_gate="hold", now=NOW)
    assert (verdict.code, verdict.detail) == (code, detail)


@pytest.mark.contract("S2")
@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"id": "two", "manifest_digest": "sha256:1"}',
        b'{"id": "one"}',
        b'{"id": "one", "manifest_digest": ""}',
        b'{"id": "one", "manifest_digest": 1}',
    ],
)
def test_an_ok_without_our_receipt_is_unexpected_and_tried_again(body: bytes) -> None:
    answer = Answer(status=200, body=body)
    verdict = judge(answer, identifier=ONE, digest="sha256:1", on_gate="hold", now=NOW)
    detail = "the answer holds no receipt of this episode"
    assert verdict == Verdict(outcome=Outcome.RETRY, http=200, code="no_receipt", detail=detail, unexpected=True)


@pytest.mark.contract("S2")
def test_a_receipt_is_kept_as_it_came_and_one_for_other_content_is_told() -> None:
    ours = b'{"manifest_digest": "sha256:1",  "id": "one"}'
    kept = judge(Answer(status=201, body=ours), identifier=ONE, digest="sha256:1", on_gate="hold", now=NOW)
    assert kept == Verdict(outcome=Outcome.STORED, http=201, receipt=ours)

    other = judge(Answer(status=200, body=ours), identifier=ONE, digest="sha256:2", on_gate="hold", now=NOW)
    detail = "the receipt is for other content"
    assert other == Verdict(outcome=Outcome.QUARANTINED, http=200, code="integrity", detail=detail, theirs="sha256:1")


def test_what_is_missing_is_told_in_the_librarys_words() -> None:
    answer = Answer(missing=NoAnswer.TIMEOUT, detail="after 3 s")
    for verdict in (judge(answer, identifier=ONE, digest="x", on_gate="hold", now=NOW), retry(answer, NOW)):
        assert verdict == Verdict(outcome=Outcome.RETRY, code="timeout", detail="after 3 s", in_a_row=True)


def test_a_head_stops_an_episode_only_where_waiting_helps() -> None:
    seen = {status: retry(Answer(status=status, headers={"retry-after": "7"}), NOW) for status in range(100, 600)}
    found = {status: verdict for status, verdict in seen.items() if verdict is not None}
    assert set(found) == {401, 403, 408, 423, 425, 429, *range(500, 600)} - {501}
    for status, verdict in found.items():
        assert verdict == Verdict(
            outcome=Outcome.RETRY,
            http=status,
            code=f"http_{status}",
            pause="auth" if status in {401, 403} else None,
            retry_after_s=7.0,
            in_a_row=status in {429, 503},
        )


@pytest.mark.parametrize("status", [401, 429, 500, 499])
def test_a_wait_until_a_date_is_counted_from_now_where_the_receiver_tells_no_clock(status: int) -> None:
    answer = Answer(status=status, headers={"retry-after": "Sat, 28 Nov 2026 12:01:00 GMT"})
    assert judge(answer, identifier=ONE, digest="x", on_gate="hold", now=NOW).retry_after_s == 60.0
    verdict = retry(answer, NOW)
    assert status == 499 or (verdict is not None and verdict.retry_after_s == 60.0)


def test_a_status_beyond_the_last_is_unexpected() -> None:
    assert judge(Answer(status=600), identifier=ONE, digest="x", on_gate="hold", now=NOW).unexpected
    assert retry(Answer(status=600), NOW) is None
