"""The receiver's HTTP: which request is answered by what, and how every failure becomes a problem."""

import logging
import time
from datetime import UTC, datetime

from starlette.types import Receive, Scope, Send

from dce_play.errors import DcePlayError
from dce_play.services.receiver.admission import authenticated, parse_id
from dce_play.services.receiver.context import ReceiverContext
from dce_play.services.receiver.exchange import Disconnected, Exchange, new_request_id
from dce_play.services.receiver.receive_put import answer_already, receipt_body, receipt_headers, receive_put
from dce_play.services.receiver.refusals import AlreadyStored, Refused
from dce_play.services.receiver.uploads import Uploads
from dce_play.system.clock import utc_stamp
from dce_play.system.disk import FULL, growth_hint
from dce_play.transfer.receiving.gate import Verdict
from dce_play.transfer.refused import ArchiveRefused
from dce_play.transfer.wire import commit_header

_RESULTS = {409: "conflict", 400: "refused", 411: "refused", 412: "refused", 413: "refused", 415: "refused"}

log = logging.getLogger("dce_play.receiver")


class Api:
    """The ASGI application that shippers talk to."""

    def __init__(self, context: ReceiverContext) -> None:
        self._context = context
        self._uploads = Uploads(context)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["state"].setdefault("request_id", new_request_id())
        exchange = Exchange(scope, receive, send)
        started = time.monotonic()
        try:
            await self._answer(exchange)
        except Disconnected:
            exchange.code = "disconnected"
        self._note(exchange, time.monotonic() - started)

    async def _answer(self, exchange: Exchange) -> None:
        try:
            try:
                await self._route(exchange)
            except AlreadyStored as stored:
                await answer_already(exchange, self._context, stored)
        except Refused as refused:
            await exchange.refuse(refused)
        except ArchiveRefused as error:
            log.error("receive.broken what=%s", error)  # noqa: TRY400 - the fact is enough
            await exchange.refuse(Refused("internal", "what is stored under this id is not sound"))
        except DcePlayError as error:
            log.error("receive.failed why=%s", error)  # noqa: TRY400 - the fact is enough
            await exchange.refuse(Refused("internal", "the store does not answer now"))
        except OSError as error:
            log.error("receive.failed why=%s%s", error, growth_hint(error))  # noqa: TRY400 - the fact is enough
            if exchange.status:
                raise
            code = "no_space" if error.errno in FULL else "internal"
            await exchange.refuse(Refused(code, "the store cannot be written now"))

    async def _route(self, exchange: Exchange) -> None:
        match exchange.segments:
            case ("v1", "ping"):
                await self._only(exchange, "POST")
                await self._ping(exchange)
            case ("v1", "uploads", upload):
                await self._only(exchange, "HEAD", "PATCH", "DELETE")
                await self._upload(exchange, upload)
            case ("v1", "episodes", *rest) if rest:
                await self._episode(exchange, rest)
            case ("v1", *_):
                await authenticated(exchange, self._context)
                raise Refused("not_found", "there is nothing at this path")
            case _:
                raise Refused("not_found", "there is nothing at this path")

    async def _episode(self, exchange: Exchange, rest: list[str]) -> None:
        if exchange.method == "POST" and len(rest) > 1 and rest[-1] == "uploads":
            await self._uploads.create(exchange, raw_id="/".join(rest[:-1]))
            return
        await self._only(exchange, "PUT", "GET", "HEAD")
        raw_id = "/".join(rest)
        if exchange.method == "PUT":
            await receive_put(exchange, self._context, raw_id=raw_id)
        else:
            await self._receipt(exchange, raw_id)

    async def _upload(self, exchange: Exchange, upload: str) -> None:
        match exchange.method:
            case "HEAD":
                await self._uploads.head(exchange, upload=upload)
            case "PATCH":
                await self._uploads.patch(exchange, upload=upload)
            case _:
                await self._uploads.delete(exchange, upload=upload)

    async def _receipt(self, exchange: Exchange, raw_id: str) -> None:
        await authenticated(exchange, self._context)
        receipt = await self._context.quick(self._context.storage.stored, parse_id(raw_id))
        if receipt is None:
            raise Refused("not_found", f"no episode {raw_id} is stored")
        await exchange.answer(200, receipt_body(receipt), receipt_headers(receipt, self._context))

    async def _ping(self, exchange: Exchange) -> None:
        context = self._context
        identity = await authenticated(exchange, context)
        commit = exchange.header(commit_header(context.config.header_prefix))
        view = await context.judge(commit)
        context.tally.judged(identity.host_id, commit=commit, verdict=view.verdict)
        limits = context.config.limits
        refused = view.verdict in {Verdict.NOT_IN_WINDOW, Verdict.MALFORMED, Verdict.ABSENT}
        body = {
            "receiver": context.config.name,
            "version": context.version,
            "time": utc_stamp(datetime.now(UTC)),
            "you": {
                "host_id": identity.host_id,
                "token_id": identity.token_id,
                "cert_subject": identity.cert_subject,
                "cert_not_after": identity.cert_not_after,
            },
            "gate": {
                "enabled": context.gate.config.enabled,
                "state": view.state,
                "verdict": view.verdict,
                "source": view.source,
                "head_commit": view.head_commit,
                "your_commit": view.your_commit,
                "window": view.window,
                "fix": list(view.fix) if refused else [],
            },
            "limits": {
                "max_bytes": limits.max_bytes,
                "max_unpacked_bytes": limits.max_unpacked_bytes,
                "max_members": limits.max_members,
                "max_inflight_per_host": limits.max_inflight_per_host,
            },
            "resume": True,
            "store": {
                "free_bytes": await context.quick(context.storage.free_bytes),
                "quota_bytes": limits.quota_per_host or None,
                "used_bytes": context.tally.bytes_of(identity.host_id),
            },
        }
        await exchange.answer(200, body, {})

    async def _only(self, exchange: Exchange, *methods: str) -> None:
        if self._context.stopping:
            raise Refused("stopping", "the receiver is stopping")
        if exchange.method not in methods:
            await authenticated(exchange, self._context)
            detail = f"{exchange.method} is not for this path"
            raise Refused("method_not_allowed", detail, headers={"Allow": ", ".join(methods)})

    def _note(self, exchange: Exchange, took_s: float) -> None:
        host = exchange.scope["state"].get("host")
        tally = self._context.tally
        tally.count_response(host, code=exchange.code, status=exchange.status)
        sends = exchange.method in {"PUT", "PATCH"} or exchange.segments[-1:] == ("uploads",)
        result = "refused" if exchange.status == 422 else _RESULTS.get(exchange.status)
        if host and sends and result and exchange.code != "mismatching_offset":
            tally.count_result(host, result)
        log.info(
            "receive.answer host=%s method=%s path=%s http=%d code=%s bytes=%d ms=%d request=%s",
            host or "-",
            exchange.method,
            "/".join(exchange.segments)[:200],
            exchange.status,
            exchange.code or "-",
            exchange.received_bytes,
            took_s * 1000,
            exchange.scope["state"]["request_id"],
        )
