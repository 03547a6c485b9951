"""Resumable uploads: creation, HEAD, PATCH and DELETE.

Source: the IETF draft "Resumable Uploads for HTTP", httpbis, from -10 on, without the interim answer 104.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from dce_play.services.receiver.admission import admit, admitted_offer, authenticated, length_in, wait_quietly
from dce_play.services.receiver.body.pieces import Piece
from dce_play.services.receiver.body.work import Pieces, RunningCheck, take_all
from dce_play.services.receiver.context import ReceiverContext
from dce_play.services.receiver.exchange import Exchange
from dce_play.services.receiver.receive_put import (
    answer_stored,
    new_check,
    pump,
    receipt_body,
    receipt_headers,
    verify_and_publish,
)
from dce_play.services.receiver.refusals import Refused
from dce_play.system.counted import counted
from dce_play.transfer.receiving.storage import Published, UploadState, UploadWriter
from dce_play.transfer.wire import INCONSISTENT_LENGTH, MISMATCHING_OFFSET, PIECE_TYPE

LARGEST_APPEND_BYTES = 1 << 30


class _RunningPatch:
    """A PATCH that is being received. Whoever asks for the same upload meanwhile ends it."""

    def __init__(self, task: "asyncio.Task[object]") -> None:
        self._task = task
        self.interrupted = False
        self.done = asyncio.Event()
        self._receiving = False

    async def end(self) -> None:
        """End it, unless it has all its bytes already; then wait for it."""
        if self._receiving and not self.interrupted:
            self._task.cancel()
        self.interrupted = True
        await self.done.wait()

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Let others end it in this block, and only there: elsewhere a thread may be handing something over."""
        if self.interrupted:
            raise _overtaken()
        self._receiving = True
        try:
            yield
        finally:
            self._receiving = False


def _overtaken() -> Refused:
    return Refused("upload_running", "a newer request about this upload has come")


class Uploads:
    """All requests about resumable uploads at one receiver."""

    def __init__(self, context: ReceiverContext) -> None:
        self._context = context
        self._running: dict[str, _RunningPatch] = {}
        self._checks: OrderedDict[str, RunningCheck] = OrderedDict()

    async def create(self, exchange: Exchange, *, raw_id: str) -> None:
        """Answer ``POST /v1/episodes/<id>/uploads``."""
        context = self._context
        offer = await admitted_offer(exchange, context, raw_id=raw_id, size_header="Upload-Length")
        if exchange.header("upload-complete") != "?0" or not exchange.body_read:
            raise Refused("bad_header", "a creation has Upload-Complete: ?0 and no body")
        admitted = await admit(offer, context, bytes_left=offer.size)
        try:
            state = await context.quick(context.storage.create_upload, offer)
        finally:
            admitted.release()
        headers = {"Location": f"/v1/uploads/{state.upload}", **self._headers(state)}
        await exchange.answer(201, {"upload": state.upload, "offset": 0}, headers)

    async def head(self, exchange: Exchange, *, upload: str) -> None:
        """Answer ``HEAD /v1/uploads/<upload>``."""
        state = await self._find_quiet(exchange, upload)
        headers = {"Upload-Length": str(state.offer.size), "Cache-Control": "no-store", **self._headers(state)}
        await exchange.answer(204, None, headers)

    async def delete(self, exchange: Exchange, *, upload: str) -> None:
        """Answer ``DELETE /v1/uploads/<upload>``."""
        state = await self._find_quiet(exchange, upload)
        self._checks.pop(upload, None)
        await self._context.quick(self._context.storage.remove_upload, state)
        await exchange.answer(204, None, {})

    async def patch(self, exchange: Exchange, *, upload: str) -> None:
        """Answer ``PATCH /v1/uploads/<upload>``."""
        context = self._context
        state = await self._find_quiet(exchange, upload)
        if state.receipt is not None:
            headers = receipt_headers(state.receipt, context) | self._headers(state)
            await exchange.answer(200, receipt_body(state.receipt), headers)
            return
        length, last = self._checked_piece(exchange, state)
        task = asyncio.current_task()
        if task is None or upload in self._running:
            raise Refused("upload_running", "another request is sending to this upload")
        running = self._running[upload] = _RunningPatch(task)
        try:
            admitted = await admit(state.offer, context, bytes_left=length)
            try:
                await self._append(exchange, state, running, last=last)
            finally:
                admitted.release()
        except asyncio.CancelledError:
            if not running.interrupted:
                raise
            task.uncancel()
            raise _overtaken() from None
        finally:
            del self._running[upload]
            running.done.set()

    async def _append(self, exchange: Exchange, state: UploadState, running: _RunningPatch, *, last: bool) -> None:
        context, offer = self._context, state.offer
        writer = await context.quick(context.storage.append_to, state)
        try:
            check = await self._take_piece(exchange, state, writer, running)
            state = await self._synced(state, writer, check)
            if not last:
                await exchange.answer(204, None, self._headers(state))
                return
            published = await self._published(state, writer, check)
        finally:
            await context.quick(writer.close)
        await context.quick(context.storage.finish_upload, state, published.receipt)
        await answer_stored(exchange, context, published, offer, extra={"Upload-Complete": "?1"})

    async def _take_piece(
        self, exchange: Exchange, state: UploadState, writer: UploadWriter, running: _RunningPatch
    ) -> RunningCheck:
        """Receive the body; whatever ends it early, what came is kept."""
        known = self._checks.pop(state.upload, None)
        check = known if known is not None and known.at == state.offset else new_check(self._context, state.offer)
        pieces = Pieces(asyncio.get_running_loop())
        work = self._context.in_body_thread(self._read_and_take, pieces, writer, check, state)
        try:
            with running.receiving():
                await pump(exchange, self._context, pieces, work)
        except BaseException:
            pieces.end()
            await asyncio.shield(wait_quietly(work))
            await asyncio.shield(self._synced(state, writer, check))
            raise
        return check

    def _read_and_take(self, pieces: Pieces, writer: UploadWriter, check: RunningCheck, state: UploadState) -> None:
        if check.at != state.offset:
            if self._context.storage.rereads_parts:
                for piece in self._context.storage.read_upload(state):
                    check.feed(Piece(piece))
            else:
                check.skip_to(state.offset)
        take_all(pieces, writer, check)

    async def _synced(self, state: UploadState, writer: UploadWriter, check: RunningCheck) -> UploadState:
        synced = await self._context.quick(writer.sync)
        if check.at == synced.offset:
            self._checks[state.upload] = check
            while len(self._checks) > self._context.config.limits.max_inflight:
                self._checks.popitem(last=False)
        return synced

    async def _published(self, state: UploadState, writer: UploadWriter, check: RunningCheck) -> Published:
        context = self._context
        self._checks.pop(state.upload, None)
        try:
            return await asyncio.shield(context.in_body_thread(self._publish, state, writer, check))
        except Refused:
            await context.quick(context.storage.remove_upload, state)
            raise

    def _publish(self, state: UploadState, writer: UploadWriter, check: RunningCheck) -> Published:
        incoming = writer.incoming()
        if check.blind:  # another receiver has seen the beginning
            check = new_check(self._context, state.offer)
            for piece in self._context.storage.read_upload(state):
                check.feed(Piece(piece))
        return verify_and_publish(self._context, state.offer, incoming, check, source="upload")

    async def _find_quiet(self, exchange: Exchange, upload: str) -> UploadState:
        """Return an upload of the host that asks, once no older request is at it."""
        identity = await authenticated(exchange, self._context)
        state = await self._find(upload)
        if state is None or state.offer.host_id != identity.host_id:
            raise Refused("not_found", "there is no such upload; create it anew")
        while (running := self._running.get(upload)) is not None:
            await running.end()
            state = await self._find(upload)
        if state is None:
            raise Refused("not_found", "there is no such upload; create it anew")
        return state

    async def _find(self, upload: str) -> UploadState | None:
        return await self._context.quick(self._context.storage.find_upload, upload)

    def _headers(self, state: UploadState) -> dict[str, str]:
        limits = self._context.config.limits
        largest = min(limits.max_bytes, LARGEST_APPEND_BYTES)
        least = self._context.storage.least_append_bytes
        age = int(limits.upload_keep_s)
        return {
            "Upload-Offset": str(state.offset),
            "Upload-Complete": "?1" if state.complete else "?0",
            "Upload-Limit": f"max-size={limits.max_bytes}, min-append-size={least}, "
            f"max-append-size={largest}, max-age={age}",
        }

    def _checked_piece(self, exchange: Exchange, state: UploadState) -> tuple[int, bool]:
        """Return a piece's length, and whether it is the last one.

        Raises: Refused.
        """
        if exchange.header("transfer-encoding") is not None or exchange.header("content-length") is None:
            raise Refused("length_required", "Content-Length is needed, and no Transfer-Encoding")
        length, offset = length_in(exchange, "Content-Length"), length_in(exchange, "Upload-Offset")
        if (exchange.header("content-type") or "").partition(";")[0].strip().lower() != PIECE_TYPE:
            raise Refused("unsupported_type", f"Content-Type must be {PIECE_TYPE}")
        complete = exchange.header("upload-complete")
        if complete not in {"?0", "?1"}:
            raise Refused("bad_header", "Upload-Complete must be ?0 or ?1")
        promised = exchange.header("upload-length")
        if offset != state.offset:
            facts = {"type": MISMATCHING_OFFSET, "expected-offset": state.offset, "provided-offset": offset}
            detail = f"the upload is at {state.offset}, not at {offset}"
            raise Refused("mismatching_offset", detail, facts=facts, headers=self._headers(state))
        end = offset + length
        whole = state.offer.size
        if end > whole or (complete == "?1" and end != whole) or promised not in {None, str(whole)}:
            detail = f"the upload has {counted(whole, 'byte')}; this piece would end it at {end}"
            raise Refused("inconsistent_length", detail, facts={"type": INCONSISTENT_LENGTH})
        if length > LARGEST_APPEND_BYTES:
            raise Refused("too_large", f"a piece has at most {LARGEST_APPEND_BYTES} bytes")
        return length, complete == "?1"
