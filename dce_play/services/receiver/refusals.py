"""A request that is not granted: what its answer says."""

from collections.abc import Mapping, Sequence
from typing import Any

from dce_play.errors import DcePlayError
from dce_play.transfer.wire import PROBLEMS, Receipt, problem_body

_AGAIN_IN_S = {
    "upload_running": 5,
    "too_many": 5,
    "gate_unknown": 30,
    "stopping": 5,
    "no_space": 60,
    "quota": 300,
    "internal": 10,
}


class Refused(DcePlayError):
    """A refusal with one of the codes of ``wire.PROBLEMS``."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        fix: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.status = PROBLEMS[code].status
        self.body = problem_body(code, detail, fix=fix, **(facts or {}))
        self.headers = dict(headers or {})
        if code in _AGAIN_IN_S:
            self.headers["Retry-After"] = str(_AGAIN_IN_S[code])
        if self.status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"
        super().__init__(f"{code}: {detail}")


class AlreadyStored(DcePlayError):
    """The very episode is stored: the answer is its receipt."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt
        super().__init__(f"{receipt.id} is stored")


def conflict(receipt: Receipt, *, manifest_digest: str | None, sha256: str) -> Refused:
    """Return the refusal of other content under an id that is taken."""
    stored = {
        "manifest_digest": receipt.manifest_digest,
        "sha256": receipt.sha256,
        "host_id": receipt.host_id,
        "stored_at": receipt.stored_at,
    }
    yours = {"manifest_digest": manifest_digest, "sha256": sha256}
    detail = f"another episode {receipt.id} is stored since {receipt.stored_at}; nothing is ever overwritten"
    return Refused("conflict", detail, facts={"stored": stored, "yours": yours})
