"""The listener for people and monitors: health, metrics, status. Elsewhere than on loopback it asks for a token."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dce_play.services.receiver.context import ReceiverContext
from dce_play.services.receiver.metrics import CONTENT_TYPE, metrics_text
from dce_play.services.receiver.status import status_of
from dce_play.services.receiver.status_page import status_page
from dce_play.services.receiver.tls import TlsFilesInUse
from dce_play.transfer.receiving.tokens import UnreadableTokens, find_token
from dce_play.transfer.wire import PROBLEM_TYPE, problem_body

Handler = Callable[[Request], Awaitable[Response]]
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


def admin_app(context: ReceiverContext, tls: TlsFilesInUse | None) -> Starlette:
    """Return the application."""

    def ends() -> float | None:
        return tls.expires_at if tls else None

    async def healthz(_request: Request) -> Response:
        try:
            reason = "stopping" if context.stopping else await context.quick(context.storage.why_not)
        except OSError as error:
            reason = str(error)
        view = context.gate.view(None)
        gate = "" if view.state != "unknown" else "\nthe version gate knows no commits yet"
        if reason:
            return PlainTextResponse(f"{reason}{gate}\n", status_code=503)
        return PlainTextResponse(f"ok{gate}\n")

    async def metrics(_request: Request) -> Response:
        text = await context.quick(metrics_text, context, certificate_ends=ends())
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    async def status_json(_request: Request) -> Response:
        await context.judge(None)
        return JSONResponse(await context.quick(status_of, context, running=True, certificate_ends=ends()))

    async def page(_request: Request) -> Response:
        await context.judge(None)
        status = await context.quick(status_of, context, running=True, certificate_ends=ends())
        return HTMLResponse(status_page(status))

    handlers = {"/healthz": healthz, "/metrics": metrics, "/status.json": status_json, "/": page}
    address = context.config.admin_bind
    closed = address is not None and not address.local
    return Starlette(
        routes=[
            Route(path, _guarded(handler, context) if closed else _plain(handler)) for path, handler in handlers.items()
        ]
    )


def _plain(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        response = await handler(request)
        response.headers.update(_HEADERS)
        return response

    return answer


def _guarded(handler: Handler, context: ReceiverContext) -> Handler:
    async def answer(request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            records = await context.quick(context.tokens.all)
        except UnreadableTokens:
            records = ()
        record = find_token(token.strip(), records) if scheme.lower() == "bearer" else None
        if record is None or record.expired(datetime.now(UTC)):
            body = problem_body("unauthorised", "a token of role monitor is needed here")
            return JSONResponse(body, 401, {"WWW-Authenticate": "Bearer"}, media_type=PROBLEM_TYPE)
        if record.role != "monitor":
            body = problem_body("forbidden", "a token of role monitor is needed here")
            return JSONResponse(body, 403, media_type=PROBLEM_TYPE)
        return await _plain(handler)(request)

    return answer
