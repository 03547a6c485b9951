"""Who is on the other side: the certificate's host, the token's host, and whether they are one.

Source: RFC 6125, 6.4.4: the name is in the subject alternative names, and in the common name only without them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from dce_play.services.receiver.exchange import Exchange
from dce_play.services.receiver.refusals import Refused
from dce_play.system.clock import utc_stamp
from dce_play.system.counted import counted
from dce_play.transfer.receiving.config import ReceiveConfig
from dce_play.transfer.receiving.tokens import TokenRecord, Tokens, find_token


class PeerCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a client's certificate, which the TLS library has verified."""

    hosts: tuple[str, ...]
    """Its DNS names, else its common name."""
    subject: str
    not_after: str


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The host that sends, and how it showed that."""

    host_id: str
    token_id: str
    cert_subject: str | None = None
    cert_not_after: str | None = None


def peer_certificate(found: Mapping[str, Any] | None) -> PeerCertificate | None:
    """Return the facts in what ``ssl`` tells of a certificate."""
    if not found:
        return None
    subject = [(name, value) for rdn in found.get("subject", ()) for name, value in rdn]
    names = tuple(value for kind, value in found.get("subjectAltName", ()) if kind == "DNS")
    common = tuple(value for name, value in subject if name == "commonName")
    end = datetime.strptime(found["notAfter"], "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC)
    return PeerCertificate(
        hosts=names or common,
        subject=",".join(f"{name}={value}" for name, value in subject),
        not_after=utc_stamp(end),
    )


def identify(exchange: Exchange, config: ReceiveConfig, tokens: Tokens, *, now: datetime) -> Identity:
    """Return who sends a request.

    Raises: Refused with 401 or 403.
    """
    record = _token(exchange, tokens, now=now)
    if record.role != "ship":
        raise Refused("forbidden", f"token {record.token_id} is for {record.role}, not for shipping")
    certificate: PeerCertificate | None = exchange.scope["state"].get("certificate")
    if config.tls is not None:
        _match(record, certificate.hosts if certificate else ())
    elif config.host_header:
        local = exchange.scope["state"].get("peer_is_local", False)
        named = exchange.headers.getlist(config.host_header) if local else []
        _match(record, tuple(named))
    return Identity(
        host_id=record.host_id,
        token_id=record.token_id,
        cert_subject=certificate.subject if certificate else None,
        cert_not_after=certificate.not_after if certificate else None,
    )


def bearer(exchange: Exchange, tokens: Tokens) -> TokenRecord | None:
    """Return the record of the token that a request shows."""
    values = exchange.headers.getlist("authorization")
    scheme, _, token = (values[0] if len(values) == 1 else "").partition(" ")
    return find_token(token.strip(), tokens.all()) if scheme.lower() == "bearer" else None


def _token(exchange: Exchange, tokens: Tokens, *, now: datetime) -> TokenRecord:
    record = bearer(exchange, tokens)
    if record is None:
        raise Refused("unauthorised", "the request shows no token that is known here")
    if record.expired(now):
        raise Refused("token_expired", f"token {record.token_id} of {record.host_id} expired at {record.expires_at}")
    return record


def _match(record: TokenRecord, hosts: tuple[str, ...]) -> None:
    if len(hosts) != 1:
        what = "no host" if not hosts else f"{counted(len(hosts), 'host')} ({', '.join(hosts)[:200]})"
        raise Refused("host_mismatch", f"the certificate names {what}; it must name {record.host_id} alone")
    if "*" in hosts[0] or hosts[0].casefold() != record.host_id.casefold():
        raise Refused("host_mismatch", f"the certificate is of {hosts[0]}, the token of {record.host_id}")
