"""What shipper and receiver say to each other: header names, problems, digests, receipts. Knows no HTTP library."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from dce_play.errors import DcePlayError

DEFAULT_PREFIX = "X-Cis490-"
ARCHIVE_TYPE = "application/zstd"
PIECE_TYPE = "application/partial-upload"
PROBLEM_TYPE = "application/problem+json"
MISMATCHING_OFFSET = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
INCONSISTENT_LENGTH = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length"

MANIFEST_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SHA256_MEMBER = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]*):\s*(?=$|,)")


def commit_header(prefix: str = DEFAULT_PREFIX) -> str:
    """Return the name of the header with the commit that made an episode."""
    return f"{prefix}Code-Commit"


def manifest_header(prefix: str = DEFAULT_PREFIX) -> str:
    """Return the name of the header with an episode's manifest digest."""
    return f"{prefix}Manifest-Digest"


class ProblemKind(msgspec.Struct, frozen=True):
    """One kind of refusal: its status, its title, and whether trying again later can help."""

    status: int
    title: str
    again: bool = False
    fix: tuple[str, ...] = ()
    """Lines for the lab host's shell."""


_PING = "dce-play ship ping"
_STATUS = "dce-play ship status"


def _look(code: str) -> tuple[str, ...]:
    """Return what shows the episodes that were refused so; their content has to be mended before they go again."""
    return (f"dce-play quarantine list --reason {code}",)


def _pack_again(code: str) -> tuple[str, ...]:
    """Return what packs and sends again what was refused so, and nothing else that lies in quarantine."""
    return (*_look(code), f"dce-play quarantine requeue --reason {code}")


PROBLEMS: dict[str, ProblemKind] = {
    "bad_id": ProblemKind(400, "this is no episode id", fix=(_STATUS,)),
    "missing_commit": ProblemKind(400, "the commit header is missing"),
    "malformed_commit": ProblemKind(400, "the commit header is not 40 lower-case hex digits"),
    "bad_digest_header": ProblemKind(400, "Repr-Digest is missing or not sha-256", fix=(_PING,)),
    "bad_header": ProblemKind(400, "the request cannot be understood", fix=(_PING,)),
    "digest_mismatch": ProblemKind(400, "the body is not what Repr-Digest says", again=True, fix=(_STATUS,)),
    "unauthorised": ProblemKind(401, "the token is missing or not known", again=True, fix=(_PING,)),
    "token_expired": ProblemKind(401, "the token has expired", again=True, fix=(_PING,)),
    "host_mismatch": ProblemKind(403, "certificate and token are not of one host", again=True, fix=(_PING,)),
    "forbidden": ProblemKind(403, "the token's role does not allow this", again=True, fix=(_PING,)),
    "not_found": ProblemKind(404, "there is nothing here"),
    "method_not_allowed": ProblemKind(405, "this cannot be done here"),
    "too_slow": ProblemKind(408, "the request came too slowly", again=True, fix=(_PING,)),
    "conflict": ProblemKind(409, "another episode of this id is stored", fix=_look("conflict")),
    "mismatching_offset": ProblemKind(409, "the upload is at another offset", again=True, fix=(_STATUS,)),
    "inconsistent_length": ProblemKind(400, "the upload has another length", fix=(_STATUS,)),
    "length_required": ProblemKind(411, "Content-Length is needed", fix=(_PING,)),
    "commit_not_in_window": ProblemKind(412, "the code that made the episode is out of date"),
    "too_large": ProblemKind(413, "the episode is larger than the receiver takes", fix=_look("too_large")),
    "unsupported_type": ProblemKind(415, f"the body must be {ARCHIVE_TYPE}, without Content-Encoding", fix=(_PING,)),
    "archive_invalid": ProblemKind(422, "the body is no sound tar in zstd", fix=_pack_again("archive_invalid")),
    "archive_unsafe": ProblemKind(422, "the archive holds what no episode may", fix=_look("archive_unsafe")),
    "wrong_root": ProblemKind(422, "not all members are below the episode's folder", fix=_look("wrong_root")),
    "meta_missing": ProblemKind(422, "the episode has no meta.json", fix=_look("meta_missing")),
    "bad_meta": ProblemKind(422, "meta.json is no JSON object", fix=_look("bad_meta")),
    "commit_mismatch": ProblemKind(
        422, "header and meta.json name different commits", fix=_pack_again("commit_mismatch")
    ),
    "manifest_mismatch": ProblemKind(
        422, "the manifest digest is not the archive's", fix=_pack_again("manifest_mismatch")
    ),
    "upload_running": ProblemKind(423, "this episode is being received already", again=True, fix=(_STATUS,)),
    "too_many": ProblemKind(429, "too many uploads at once", again=True, fix=(_STATUS,)),
    "gate_unknown": ProblemKind(503, "which commits are accepted is not known now", again=True, fix=(_PING,)),
    "stopping": ProblemKind(503, "the receiver is stopping", again=True, fix=(_PING,)),
    "no_space": ProblemKind(507, "the receiver's store is full", again=True, fix=(_PING,)),
    "quota": ProblemKind(507, "this host's share of the store is used up", again=True, fix=(_PING,)),
    "internal": ProblemKind(500, "the receiver failed", again=True, fix=(_PING,)),
}
"""Every code that a refusal may carry."""


def problem_body(code: str, detail: str, *, fix: Sequence[str] = (), **facts: Any) -> dict[str, Any]:
    """Return a refusal as the JSON object of its answer. ``fix`` replaces the kind's own lines; facts may too."""
    kind = PROBLEMS[code]
    lines = list(fix or kind.fix)
    return {
        "type": f"urn:dce-play:problem:{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": code,
        "retry": "after" if kind.again else "never",
        "fix": lines,
        "remediation": "\n".join(lines),
    } | facts


class BadDigestHeader(DcePlayError):
    """A ``Repr-Digest`` that is missing, malformed, or has no sha-256."""


def encode_digest(sha256_hex: str) -> str:
    """Return the ``Repr-Digest`` of a SHA-256. Source: RFC 9530, 3."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256_hex)).decode()}:"


def decode_digest(header: str | None) -> str:
    """Return the SHA-256 in a ``Repr-Digest``, in hex.

    Raises: BadDigestHeader.
    """
    found = _SHA256_MEMBER.findall(header or "")
    try:
        digests = {base64.b64decode(each, validate=True) for each in found}
    except binascii.Error as error:
        raise BadDigestHeader("Repr-Digest is not base64") from error
    if len(digests) != 1 or any(len(each) != 32 for each in digests):
        raise BadDigestHeader("Repr-Digest must be sha-256=:BASE64: of 32 bytes")
    return digests.pop().hex()


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What both records of a stored episode begin with, in this order."""

    v: int
    id: str
    host_id: str | None
    size: int
    """Of the tarball, in bytes."""
    sha256: str
    """Of the tarball, in hex."""
    manifest_digest: str
    commit: str | msgspec.UnsetType = msgspec.UNSET
    files: int
    bytes: int
    """Of all files unpacked."""
    stored_at: str


class Receipt(_Stored, frozen=True, kw_only=True, omit_defaults=True):
    """The receiver's word that an episode is stored. Its keys come in the order of its fields."""

    receiver: str


class IndexRow(_Stored, frozen=True, kw_only=True):
    """One line of ``index.jsonl``. Its keys come in the order of its fields; a reader needs ``id`` only."""

    source: str


def encode_receipt(receipt: Receipt) -> bytes:
    """Return a receipt as one line of JSON."""
    return msgspec.json.encode(receipt) + b"\n"


def decode_receipt(data: bytes) -> Receipt | None:
    """Return the receipt in some bytes, or ``None`` when there is none."""
    try:
        return msgspec.json.decode(data, type=Receipt)
    except msgspec.DecodeError:
        return None


def row_of(receipt: Receipt, *, source: str) -> IndexRow:
    """Return the index's line of a stored episode; ``source`` is ``put``, ``upload`` or ``backfill``."""
    facts = {name: getattr(receipt, name) for name in IndexRow.__struct_fields__ if name != "source"}
    return IndexRow(**facts, source=source)
