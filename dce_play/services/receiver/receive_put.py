"""An episode in one PUT: admitted, streamed, verified, published, acknowledged."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from dce_play.services.receiver.admission import admit, admitted_offer, wait_quietly
from dce_play.services.receiver.body.work import Pieces, RunningCheck, take_all
from dce_play.services.receiver.context import ReceiverContext
from dce_play.services.receiver.exchange import Disconnected, Exchange
from dce_play.services.receiver.refusals import AlreadyStored, Refused, conflict
from dce_play.system.clock import utc_stamp
from dce_play.system.counted import counted
from dce_play.transfer.archive_check import ArchiveCheck, CheckedArchive
from dce_play.transfer.receiving.storage import Incoming, Offer, Published
from dce_play.transfer.refused import ArchiveRefused
from dce_play.transfer.wire import Receipt, encode_digest, manifest_header


async def receive_put(exchange: Exchange, context: ReceiverContext, *, raw_id: str) -> None:
    """Answer ``PUT /v1/episodes/<id>``.

    Raises: Refused; AlreadyStored; Disconnected.
    """
    offer = await admitted_offer(exchange, context, raw_id=raw_id, size_header="Content-Length")
    admitted = await admit(offer, context, bytes_left=offer.size)
    try:
        incoming = await context.quick(context.storage.receive, offer)
        try:
            check = await _take_body(exchange, context, offer, incoming)
            work = context.in_body_thread(verify_and_publish, context, offer, incoming, check, source="put")
            published = await asyncio.shield(work)
        finally:
            await context.quick(incoming.discard)
    finally:
        admitted.release()
    await answer_stored(exchange, context, published, offer)


async def answer_stored(
    exchange: Exchange,
    context: ReceiverContext,
    published: Published,
    offer: Offer,
    *,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Send the receipt of what is stored now: 201 when this request stored it.

    Raises: Refused, when something else is stored.
    """
    receipt = published.receipt
    if published.created:
        headers = {"Location": f"/v1/episodes/{receipt.id}"}
        await exchange.answer(
            201, receipt_body(receipt), {**receipt_headers(receipt, context), **headers, **(extra or {})}
        )
        return
    if offer.manifest_digest is not None and receipt.manifest_digest != offer.manifest_digest:
        raise conflict(receipt, manifest_digest=offer.manifest_digest, sha256=offer.sha256)
    context.tally.count_result(offer.host_id, "duplicate")
    await exchange.answer(200, receipt_body(receipt), {**receipt_headers(receipt, context), **(extra or {})})


def receipt_body(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as the object of its answer."""
    body: dict[str, Any] = msgspec.to_builtins(receipt)
    return body


def receipt_headers(receipt: Receipt, context: ReceiverContext) -> dict[str, str]:
    """Return the headers that go with a receipt."""
    return {
        "ETag": f'"{receipt.manifest_digest}"',
        manifest_header(context.config.header_prefix): receipt.manifest_digest,
        "Repr-Digest": encode_digest(receipt.sha256),
    }


def new_check(context: ReceiverContext, offer: Offer) -> RunningCheck:
    """Return the check of an archive that has not begun."""
    return RunningCheck(ArchiveCheck(offer.id, context.config.limits.archive, packed_bytes=offer.size))


async def _take_body(exchange: Exchange, context: ReceiverContext, offer: Offer, incoming: Incoming) -> RunningCheck:
    check = new_check(context, offer)
    pieces = Pieces(asyncio.get_running_loop())
    work = context.in_body_thread(take_all, pieces, incoming, check)
    await pump(exchange, context, pieces, work)
    return check


async def pump(exchange: Exchange, context: ReceiverContext, pieces: Pieces, work: "asyncio.Future[None]") -> None:
    """Hand a request's body over to a thread, and wait until it has done its work.

    Raises: Refused; Disconnected.
    """
    try:
        async for piece in exchange.body(context.config.limits):
            if not await pieces.put(piece):
                break
    except BaseException:
        pieces.end()
        await asyncio.shield(wait_quietly(work))
        raise
    pieces.end()
    await asyncio.shield(work)


def _verified(context: ReceiverContext, offer: Offer, check: RunningCheck) -> CheckedArchive:
    """Return what a whole body holds, when it is what was offered.

    Raises: Refused with 400, 413 or 422.
    """
    if check.sha256() != offer.sha256:
        raise Refused(
            "digest_mismatch", f"what came, {counted(check.at, 'byte')}, has another SHA-256 than Repr-Digest says"
        )
    try:
        found = check.finish()
    except ArchiveRefused as error:
        raise Refused(error.code, error.detail) from error
    if offer.manifest_digest is not None and offer.manifest_digest != found.manifest_digest:
        facts = {"yours": offer.manifest_digest, "found": found.manifest_digest}
        raise Refused("manifest_mismatch", f"the archive's manifest digest is {found.manifest_digest}", facts=facts)
    if context.config.gate.enabled and offer.commit != found.commit:
        detail = f"the header says {offer.commit}, meta.json says {found.commit or 'no commit'}"
        raise Refused("commit_mismatch", detail)
    return found


def _receipt_for(context: ReceiverContext, offer: Offer, found: CheckedArchive) -> Receipt:
    """Return the receipt of an archive that was verified."""
    return Receipt(
        v=1,
        id=offer.id,
        host_id=offer.host_id,
        size=offer.size,
        sha256=offer.sha256,
        manifest_digest=found.manifest_digest,
        commit=found.commit or msgspec.UNSET,
        files=found.files,
        bytes=found.bytes,
        stored_at=utc_stamp(datetime.now(UTC)),
        receiver=context.config.name,
    )


def verify_and_publish(
    context: ReceiverContext, offer: Offer, incoming: Incoming, check: RunningCheck, *, source: str
) -> Published:
    """Store a body that is what was offered, and list it.

    Raises: Refused, when it is not, or when another episode of this id was faster; OSError.
    """
    receipt = _receipt_for(context, offer, _verified(context, offer, check))
    try:
        published = context.storage.publish(incoming, receipt, source=source)
    except ArchiveRefused as error:
        raise Refused("internal", f"what is stored under {offer.id} is not sound") from error
    if not published.created:
        if published.receipt.manifest_digest != receipt.manifest_digest:
            raise conflict(published.receipt, manifest_digest=receipt.manifest_digest, sha256=offer.sha256)
        context.storage.ensure_listed(published.receipt)
    return published


async def answer_already(exchange: Exchange, context: ReceiverContext, stored: AlreadyStored) -> None:
    """Send the receipt of an episode that was stored before."""
    host = exchange.scope["state"].get("host")
    if host:
        context.tally.count_result(host, "duplicate")
    headers = receipt_headers(stored.receipt, context)
    with suppress(Disconnected):
        await exchange.answer(200, receipt_body(stored.receipt), headers)
