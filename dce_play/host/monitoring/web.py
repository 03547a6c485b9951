"""Monitors that take HTTP: healthchecks, ntfy, and webhooks that take JSON."""

import uuid
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from dce_play.host.monitoring.config import ServiceKind, State, slug
from dce_play.host.monitoring.note import Note, NotTaken

_LONGEST = 10_000
"""Bytes of a body; what healthchecks of any age keeps."""
_LONGEST_FOR_PHONES = 3_500
"""Bytes; ntfy makes an attachment of what is longer than 4,096 bytes."""
_RUNS = uuid.UUID("6f1a7f0e-6f0b-5a0d-9d5a-0f7d4c0f2b11")
_NTFY_LOOKS = {
    State.START: ("2", "arrow_forward"),
    State.FINISH: ("3", "white_check_mark"),
    State.FAIL: ("4", "rotating_light"),
}


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request; bodies are UTF-8."""

    url: str
    body: bytes
    headers: dict[str, str]


def _request(note: Note, kind: ServiceKind, address: str, token: str) -> _Request:
    address = address.strip().replace("{playbook}", slug(note.playbook))
    if urlsplit(address).scheme not in {"http", "https"}:
        raise NotTaken("its address does not begin with https:// or http://")
    headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "dce-play"}
    if token:
        headers["Authorization"] = f"Bearer {token.strip()}"
    match kind:
        case ServiceKind.HEALTHCHECKS:
            return _Request(url=_ping_url(address, note), body=_body(note, _LONGEST), headers=headers)
        case ServiceKind.NTFY:
            priority, tags = _NTFY_LOOKS[note.state]
            query = {"title": note.title, "priority": priority, "tags": tags}
            text = note.text or note.title
            return _Request(url=_with(address, query), body=_cut(text, _LONGEST_FOR_PHONES), headers=headers)
        case _:
            facts = msgspec.to_builtins(note) | {"v": 1, "text": _cut(note.text, _LONGEST).decode()}
            headers["Content-Type"] = "application/json"
            return _Request(url=address, body=msgspec.json.encode(facts), headers=headers)


def _ping_url(address: str, note: Note) -> str:
    """Return where a check hears of this.

    Source: https://healthchecks.io/docs/http_api, "Endpoints" and "Run IDs".
    """
    end = {State.START: "/start", State.FAIL: "/fail", State.FINISH: ""}[note.state]
    if note.exit_code is not None:
        end = f"/{note.exit_code}"
    query = {"rid": str(uuid.uuid5(_RUNS, note.run))} if note.run else {}
    return _with(address, query, path=end)


def _with(address: str, query: dict[str, str], *, path: str = "") -> str:
    parts = urlsplit(address)
    both = "&".join(filter(None, (parts.query, urlencode(query))))
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path, query=both, fragment=""))


def _body(note: Note, longest: int) -> bytes:
    return _cut(f"{note.title}\n\n{note.text}".strip() + "\n", longest)


def _cut(text: str, longest: int) -> bytes:
    """Return the text as UTF-8 of at most so many bytes: its beginning and its end, where most is told."""
    data = text.encode("utf-8", "replace")
    if len(data) <= longest:
        return data
    half = longest // 2 - 8
    first, last = data[:half].decode("utf-8", "ignore"), data[-half:].decode("utf-8", "ignore")
    return f"{first}\n  […]\n{last}".encode()


def post(note: Note, kind: ServiceKind, address: str, token: str, *, timeout_s: float) -> None:
    """Post the note; a redirect is not followed, as that would carry body and token to who knows where.

    Raises: NotTaken.
    """
    request = _request(note, kind, address, token)
    import httpx2  # 150 ms to import, and only who has monitors needs it

    try:
        with (
            httpx2.Client(timeout=timeout_s, follow_redirects=False) as client,
            client.stream("POST", request.url, content=request.body, headers=request.headers) as answer,
        ):
            status = answer.status_code
    except httpx2.TimeoutException as error:
        raise NotTaken(f"no answer within {timeout_s:g} s") from error
    except (httpx2.InvalidURL, ValueError) as error:
        raise NotTaken("its address cannot be used") from error
    except (httpx2.HTTPError, OSError) as error:
        raise NotTaken(f"it cannot be reached: {_why(error)}") from error
    if 300 <= status < 400:
        raise NotTaken(f"it answered {status}, a redirect, which is not followed: name its final address")
    if status >= 400:
        raise NotTaken(f"it answered {status}")


def _why(error: BaseException) -> str:
    """Return what the system says, which holds no address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
