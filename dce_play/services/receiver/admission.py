"""Whether an episode may come in: the checks before the body is read, in the contract's order.

Certificate and token, id, length, type, digest; stored already; size; gate; running; room. Whoever is stored already
is told so before size and gate are looked at: an acknowledgement that was lost must not become a refusal.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from dce_play.services.receiver.context import ReceiverContext
from dce_play.services.receiver.exchange import Exchange
from dce_play.services.receiver.identity import Identity, identify
from dce_play.services.receiver.refusals import AlreadyStored, Refused, conflict
from dce_play.system.counted import counted
from dce_play.transfer.ids import episode_id
from dce_play.transfer.receiving.gate import GateView, Verdict
from dce_play.transfer.receiving.storage import Claim, Offer
from dce_play.transfer.receiving.tokens import UnreadableTokens
from dce_play.transfer.wire import (
    ARCHIVE_TYPE,
    MANIFEST_DIGEST,
    BadDigestHeader,
    commit_header,
    decode_digest,
    manifest_header,
)

LONGEST_LENGTH_DIGITS = 18


class Admitted:
    """A request that may bring its bytes; ``release`` gives back what it holds."""

    def __init__(self, offer: Offer, *, claim: Claim, give_back: Callable[[], None]) -> None:
        self.offer = offer
        self._claim = claim
        self._give_back = give_back

    def release(self) -> None:
        """Give back the id and the slot."""
        self._claim.release()
        self._give_back()


async def authenticated(exchange: Exchange, context: ReceiverContext) -> Identity:
    """Return who sends a request.

    Raises: Refused.
    """
    try:
        identity = await context.quick(identify, exchange, context.config, context.tokens, now=datetime.now(UTC))
    except UnreadableTokens as error:
        raise Refused("internal", "the receiver's list of tokens cannot be read") from error
    exchange.scope["state"]["host"] = identity.host_id
    context.tally.saw(identity.host_id, cert_not_after=identity.cert_not_after)
    return identity


async def admitted_offer(exchange: Exchange, context: ReceiverContext, *, raw_id: str, size_header: str) -> Offer:
    """Return what a host offers, with all checks up to the gate's passed.

    Raises: Refused; AlreadyStored.
    """
    identity = await authenticated(exchange, context)
    offer = _read_offer(exchange, context, identity, raw_id=raw_id, size_header=size_header)
    await _look_for_it(offer, context)
    limit = context.config.limits.max_bytes
    if offer.size > limit:
        raise Refused("too_large", f"{counted(offer.size, 'byte')}; this receiver takes {limit}")
    view = await context.judge(offer.commit)
    context.tally.judged(identity.host_id, commit=offer.commit, verdict=view.verdict)
    pass_gate(view, header=commit_header(context.config.header_prefix))
    return offer


async def admit(offer: Offer, context: ReceiverContext, *, bytes_left: int) -> Admitted:
    """Take the id and a slot for an upload, where there is room for what it will bring.

    Raises: Refused with 423, 429, 503 or 507.
    """
    if context.stopping:
        raise Refused("stopping", "the receiver is stopping")
    claim = await context.quick(context.storage.claim, offer.id)
    if claim is None:
        raise Refused("upload_running", f"another request is sending {offer.id}")
    try:
        _check_slots(offer.host_id, context)
        await _check_room(offer, context, bytes_left=bytes_left)
        return Admitted(offer, claim=claim, give_back=context.slots.take(offer.host_id, bytes_left))
    except BaseException:
        claim.release()
        raise


def parse_id(raw: str) -> str:
    """Return the id in a path as it was sent.

    Raises: Refused.
    """
    found = episode_id(raw)
    if found is None:
        raise Refused("bad_id", "an id has letters, digits, dots, dashes and underscores, and at most 128 of them")
    return found


def pass_gate(view: GateView, *, header: str) -> None:
    """Do nothing when the gate lets a commit through.

    Raises: Refused with 400, 412 or 503.
    """
    match view.verdict:
        case Verdict.ABSENT:
            raise Refused("missing_commit", f"{header} is missing: the episode is not stamped", fix=view.fix)
        case Verdict.MALFORMED:
            raise Refused("malformed_commit", f"{header} is not 40 lower-case hex digits", fix=view.fix)
        case Verdict.UNKNOWN:
            raise Refused("gate_unknown", "neither Forgejo nor git answers, and nothing is known from before")
        case Verdict.NOT_IN_WINDOW:
            detail = (
                f"{view.your_commit} is not among the newest {counted(view.window, 'commit')}. "
                "An upgrade cures new episodes; "
                'this one passes only a wider "window" or "enabled = false" at the receiver'
            )
            facts = {
                "your_commit": view.your_commit,
                "head_commit": view.head_commit,
                "window": view.window,
                "source": view.source,
            }
            raise Refused("commit_not_in_window", detail, fix=view.fix, facts=facts)
        case Verdict.IN_WINDOW | Verdict.OFF:
            return


def _read_offer(
    exchange: Exchange, context: ReceiverContext, identity: Identity, *, raw_id: str, size_header: str
) -> Offer:
    prefix = context.config.header_prefix
    offered = parse_id(raw_id)
    if exchange.header("transfer-encoding") is not None or exchange.header("content-length") is None:
        raise Refused("length_required", "Content-Length is needed, and no Transfer-Encoding")
    size = length_in(exchange, size_header)
    kind = (exchange.header("content-type") or "").partition(";")[0].strip().lower()
    if kind != ARCHIVE_TYPE or exchange.header("content-encoding") is not None:
        raise Refused("unsupported_type", f"Content-Type must be {ARCHIVE_TYPE}, without Content-Encoding")
    try:
        sha256 = decode_digest(exchange.header("repr-digest"))
    except BadDigestHeader as error:
        raise Refused("bad_digest_header", str(error)) from error
    manifest = exchange.header(manifest_header(prefix))
    if manifest is not None and not MANIFEST_DIGEST.fullmatch(manifest):
        raise Refused("bad_header", f"{manifest_header(prefix)} must be sha256: and 64 hex digits")
    return Offer(
        id=offered,
        host_id=identity.host_id,
        size=size,
        sha256=sha256,
        manifest_digest=manifest,
        commit=exchange.header(commit_header(prefix)),
    )


def length_in(exchange: Exchange, name: str) -> int:
    """Return the number in a header that tells a length or an offset.

    Raises: Refused.
    """
    text = exchange.header(name) or ""
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_LENGTH_DIGITS:
        raise Refused("bad_header", f"{name} must be a number of bytes")
    return int(text)


async def _look_for_it(offer: Offer, context: ReceiverContext) -> None:
    receipt = await context.quick(context.storage.stored, offer.id)
    if receipt is None:
        return
    if receipt.sha256 == offer.sha256 or receipt.manifest_digest == offer.manifest_digest:
        await context.quick(context.storage.ensure_listed, receipt)
        raise AlreadyStored(receipt)
    if offer.manifest_digest is not None:
        raise conflict(receipt, manifest_digest=offer.manifest_digest, sha256=offer.sha256)


def _check_slots(host: str, context: ReceiverContext) -> None:
    limits, slots = context.config.limits, context.slots
    if slots.total >= limits.max_inflight:
        raise Refused("too_many", counted(slots.total, "upload is running", "uploads are running"))
    if slots.by_host.get(host, 0) >= limits.max_inflight_per_host:
        raise Refused("too_many", f"{counted(slots.by_host[host], 'upload')} of {host} at once")


async def _check_room(offer: Offer, context: ReceiverContext, *, bytes_left: int) -> None:
    limits, slots = context.config.limits, context.slots
    free = None
    with suppress(OSError):
        free = await context.quick(context.storage.free_bytes)
    if free is not None and free - slots.bytes - bytes_left < limits.min_free:
        raise Refused("no_space", f"{counted(bytes_left, 'more byte')} leave less than {limits.min_free} free")
    if limits.quota_per_host:
        used = context.tally.bytes_of(offer.host_id) + slots.bytes_by_host.get(offer.host_id, 0)
        if used + bytes_left > limits.quota_per_host:
            raise Refused("quota", f"{offer.host_id} has stored {used} of {counted(limits.quota_per_host, 'byte')}")


async def wait_quietly(future: "asyncio.Future[None]") -> None:
    """Wait for work whose outcome nobody asks for any more."""
    with suppress(Exception):
        await future
