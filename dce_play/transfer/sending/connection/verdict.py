"""What an answer means for an episode: the table of the contract, as one function without side effects."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.connection.answer import Answer

_FATAL = frozenset({400, 411, 412, 413, 415, 422})
LOGGED_WITH_FIX = frozenset({400, 412})
_TRANSIENT = frozenset({408, 423, 425, 429})
_IN_A_ROW = frozenset({429, 503})


class Outcome(StrEnum):
    """What became of one try."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    RETRY = "retry"
    HELD = "held"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome, and what follows from it."""

    outcome: Outcome
    http: int = 0
    code: str = ""
    """The problem's code, or ours; empty when all went well."""
    detail: str = ""
    receipt: bytes | None = None
    """The receiver's receipt, as it came."""
    problem: dict[str, Any] | None = None
    fix: list[str] = []
    theirs: str | None = None
    pause: str | None = None
    """``auth`` or ``unreachable``: the whole shipper waits."""
    retry_after_s: float | None = None
    in_a_row: bool = False
    """Whether three of these, over different episodes, end the pass."""
    unexpected: bool = False
    damaged: bool = False
    """Whether the receiver got other bytes than we meant to send."""


def judge(answer: Answer, *, identifier: EpisodeId, digest: str, on_gate: str, now: datetime) -> Verdict:
    """Return what an answer to a PUT, or to the end of an upload, means."""
    status = answer.status
    if answer.missing is not None:
        return _unanswered(answer)
    if status in {200, 201}:
        return _acknowledged(answer, identifier, digest)
    if status in {401, 403}:
        return _refused(answer, Outcome.RETRY, pause="auth", retry_after_s=answer.retry_after_s(now))
    if status == 409:
        stored = (answer.problem or {}).get("stored")
        theirs = stored.get("manifest_digest") if isinstance(stored, dict) else None
        return _refused(
            answer, Outcome.QUARANTINED, code="conflict", theirs=theirs if isinstance(theirs, str) else None
        )
    if status == 400 and answer.code == "digest_mismatch":
        return _refused(answer, Outcome.RETRY, damaged=True)
    if status in _FATAL:
        return _refused(answer, Outcome.HELD if status == 412 and on_gate == "hold" else Outcome.QUARANTINED)
    if status in _TRANSIENT or 500 <= status <= 599:
        return _refused(answer, Outcome.RETRY, retry_after_s=answer.retry_after_s(now), in_a_row=status in _IN_A_ROW)
    return _refused(answer, Outcome.RETRY, retry_after_s=answer.retry_after_s(now), unexpected=True)


def retry(answer: Answer, now: datetime) -> Verdict | None:
    """Return what stops an episode before its body is sent, seen from a HEAD; ``None`` when the PUT will tell."""
    status = answer.status
    if answer.missing is not None:
        return _unanswered(answer)
    if status in {401, 403}:
        return _refused(answer, Outcome.RETRY, pause="auth", retry_after_s=answer.retry_after_s(now))
    if status in _TRANSIENT or (500 <= status <= 599 and status != 501):
        return _refused(answer, Outcome.RETRY, retry_after_s=answer.retry_after_s(now), in_a_row=status in _IN_A_ROW)
    return None


def receipt_of(answer: Answer, identifier: EpisodeId) -> str | None:
    """Return the manifest digest in a receipt for this id, ``None`` when the body is no such receipt."""
    value = answer.json
    if not isinstance(value, dict) or value.get("id") != identifier:
        return None
    digest = value.get("manifest_digest")
    return digest if isinstance(digest, str) and digest else None


def _acknowledged(answer: Answer, identifier: EpisodeId, digest: str) -> Verdict:
    theirs = receipt_of(answer, identifier)
    if theirs is None:
        # A captive portal or a proxy answers 200 to anything.
        detail = "the answer holds no receipt of this episode"
        return Verdict(outcome=Outcome.RETRY, http=answer.status, code="no_receipt", detail=detail, unexpected=True)
    if theirs != digest:
        detail = "the receipt is for other content"
        return Verdict(outcome=Outcome.QUARANTINED, http=answer.status, code="integrity", detail=detail, theirs=theirs)
    outcome = Outcome.STORED if answer.status == 201 else Outcome.DUPLICATE
    return Verdict(outcome=outcome, http=answer.status, receipt=answer.body)


def _unanswered(answer: Answer) -> Verdict:
    return Verdict(
        outcome=Outcome.RETRY,
        code=str(answer.missing),
        detail=answer.detail,
        pause="unreachable" if answer.unreachable else None,
        in_a_row=True,
    )


def _refused(answer: Answer, outcome: Outcome, **more: Any) -> Verdict:
    problem = answer.problem
    detail = next((text for key in ("detail", "title") if isinstance(text := (problem or {}).get(key), str)), "")
    values: dict[str, Any] = {"code": answer.code or f"http_{answer.status}", **more}
    return Verdict(
        outcome=outcome,
        http=answer.status,
        detail=detail,
        problem=problem,
        fix=answer.fix,
        **values,
    )
