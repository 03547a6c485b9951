"""The table of hostile servers: what is done to which answer, and whether a run can still be whole.

``WHOLE``: it gets over it, and everything is in the archive. ``TOLD``: it cannot, says so and fails. ``EITHER``: both
are honest, as long as nothing is missing after a success.
"""

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.support.hostile_discord import Act, Good, Hostility, http

PAGE = b"<!doctype html><title>Access denied</title>"
ME, GUILD, CHANNELS, ROLES = "/users/@me", "/guilds/*[0-9]", "/guilds/*/channels", "/guilds/*/roles"
CHANNEL, MESSAGES = "/channels/*[0-9]", "/channels/*/messages"
SEARCH, ACTIVE, ARCHIVED = "/channels/*/threads/search", "/guilds/*/threads/active", "/channels/*/threads/archived/*"
MEMBER, REACTIONS = "/guilds/*/members/*", "/channels/*/reactions/*"
LISTS = (CHANNELS, ROLES, MESSAGES)
THREAD_LISTS = (SEARCH, ACTIVE, ARCHIVED)
FUTURE = str((4_000_000_000_000 - 1_420_070_400_000) << 22)


class End(Enum):
    """What a run may come to."""

    WHOLE = "whole"
    TOLD = "told"
    EITHER = "either"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One hostile server."""

    name: str
    hostilities: tuple[Hostility, ...]
    end: End
    bot: bool = False
    may_skip: bool = False
    """Whether Discord's own word keeps channels out, so that a success may lack them when it says so."""
    patient: bool = False
    """Whether a client is right to wait for minutes: such a run is stopped by its own time limit."""
    slow: bool = False
    """Whether it stays out of the quick suite: each costs a third of a second of processor time, some half a minute."""


def sends(*parts: bytes | float) -> Act:
    """Return an act that sends these parts whatever was asked."""
    return lambda _: parts


def body(change: Callable[[Any], Any]) -> Act:
    """Return an act that changes the honest JSON, on a copy of it."""
    return lambda good: (http(good.status, json.dumps(change(json.loads(good.raw)))),)


def raw(change: Callable[[bytes], bytes], *headers: str, kind: str = "application/json") -> Act:
    """Return an act that changes the honest body's bytes and adds headers."""
    return lambda good: (http(good.status, change(good.raw), *headers, kind=kind),)


def _chunked(good: Good, *, sizes: Callable[[bytes], bytes], end: bytes = b"0\r\n\r\n") -> Iterable[bytes]:
    parts = [good.raw[at : at + 50] for at in range(0, len(good.raw), 50)]
    yield http(200, b"", "Transfer-Encoding: chunked")
    yield b"".join(sizes(part) + b"\r\n" + part + b"\r\n" for part in parts) + end


def _endless(unit: bytes, *headers: str) -> Act:
    def act(_: Good) -> Iterator[bytes]:
        yield http(200, b"", *headers)
        while True:
            yield unit

    return act


def _drip(pause_s: float) -> Act:
    def act(good: Good) -> Iterator[bytes | float]:
        whole = http(good.status, good.raw)
        for at in range(0, len(whole), len(whole) // 20 + 1):
            yield whole[at : at + len(whole) // 20 + 1]
            yield pause_s

    return act


def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join((*(packer.compress(bytes(1 << 20)) for _ in range(80)), packer.flush()))


_BOMB = _bomb()
_NEWLINE_CHUNK = b"10000\r\n" + b"\n" * 65_536 + b"\r\n"
ONCE: dict[str, Act] = {
    "nothing": sends(),
    "a reset": lambda good: (http(200, good.raw)[:20],),
    "half the headers": lambda good: (http(200, good.raw)[:60],),
    "half the body": lambda good: (http(200, good.raw)[: -len(good.raw) // 2],),
    "all but a byte": lambda good: (http(200, good.raw)[:-1],),
    "a greeting of another protocol": sends(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "a body alone": lambda good: (good.raw,),
    "a status of letters": sends(http("OK OK", b"[]")),
    "status 999": sends(http(999, b"[]")),
    "status 000": sends(http("000 x", b"[]")),
    "HTTP/2 frames": sends(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"),
    "HTTP 3.7": lambda good: (http(200, good.raw).replace(b"HTTP/1.1", b"HTTP/3.7"),),
    "a length too long": raw(bytes, "Content-Length: 9999999"),
    "a length too short": raw(bytes, "Content-Length: 5"),
    "a negative length": raw(bytes, "Content-Length: -1"),
    "a length of letters": raw(bytes, "Content-Length: many"),
    "a length without end": raw(bytes, f"Content-Length: {'9' * 400}"),
    "two lengths": raw(bytes, "Content-Length: 3", "Content-Length: 300"),
    "a length and chunks": raw(bytes, "Content-Length: 3", "Transfer-Encoding: chunked"),
    "chunks that are larger than told": lambda good: _chunked(good, sizes=lambda _: b"5"),
    "chunks that are smaller than told": lambda good: _chunked(good, sizes=lambda _: b"ffff"),
    "chunks of no number": lambda good: _chunked(good, sizes=lambda _: b"zz"),
    "chunks of a negative number": lambda good: _chunked(good, sizes=lambda _: b"-5"),
    "chunks without an end": lambda good: _chunked(good, sizes=lambda part: b"%x" % len(part), end=b""),
    "a chunk of 2^64": lambda good: _chunked(good, sizes=lambda _: b"f" * 16),
    "a header of a mebibyte": raw(bytes, f"X-Long: {'x' * (1 << 20)}"),
    "a hundred thousand headers": raw(bytes, *(f"X-{number}: y" for number in range(100_000))),
    "a header that is bytes": raw(bytes, "X-Odd: \x00\xff\x7f"),
    "headers that never end": _endless(b"X-More: y\r\n" * 1000),
    "a body that never ends": _endless(_NEWLINE_CHUNK, "Transfer-Encoding: chunked"),
    "a bomb": raw(lambda _: _BOMB, "Content-Encoding: gzip"),
    "gzip that is cut": raw(lambda good: gzip.compress(good)[:-9], "Content-Encoding: gzip"),
    "gzip that is none": raw(bytes, "Content-Encoding: gzip"),
    "deflate of letters": raw(bytes, "Content-Encoding: deflate"),
    "an encoding that nobody asked for": raw(bytes, "Content-Encoding: br"),
    "two encodings": raw(lambda good: gzip.compress(gzip.compress(good)), "Content-Encoding: gzip, gzip"),
    "bytes that are no UTF-8": raw(lambda good: good[:-1] + b"\xff" + good[-1:]),
    "two documents": raw(lambda good: good + good),
    "a document and letters": raw(lambda good: good + b"<!-- cached -->"),
    "a page with 200": sends(http(200, PAGE, kind="text/html")),
    "a page that says JSON": sends(http(200, PAGE)),
    "an empty 200": sends(http(200, b"")),
    "blanks with 200": sends(http(200, b"  \n ")),
    "brackets without end": sends(http(200, b"[" * 200_000)),
    "a number of 5,000 digits": sends(http(200, b"[" + b"1" * 5000 + b"]")),
    "204": sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "205": sends(http(205, b"")),
    "304": sends(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "400 with a page": sends(http(400, PAGE, kind="text/html")),
    "403 with a page": sends(http(403, PAGE, kind="text/html")),
    "404 with a page": sends(http(404, PAGE, kind="text/html")),
    "407": sends(http(407, PAGE, "Proxy-Authenticate: Basic", kind="text/html")),
    "408": sends(http(408, b"")),
    "413 with a page": sends(http(413, PAGE, kind="text/html")),
    "451 with a page": sends(http(451, PAGE, kind="text/html")),
    "500": sends(http(500, json.dumps({"message": "500: Internal Server Error", "code": 0}))),
    "502 with a page": sends(http(502, PAGE, kind="text/html")),
    "503 with Retry-After": sends(http(503, b"", "Retry-After: 1")),
    "522": sends(http(522, b"error code: 522")),
    "530": sends(http(530, PAGE, kind="text/html")),
    "a redirect away": sends(http(302, b"", "Location: http://203.0.113.7/login")),
    "a redirect to itself": lambda good: (http(307, b"", f"Location: {good.path}"),),
    "a redirect to a file": sends(http(301, b"", "Location: file:///etc/passwd")),
    "code 40333": sends(http(403, json.dumps({"message": "internal network error", "code": 40333}))),
    "an index that is not ready": sends(
        http(202, json.dumps({"message": "not yet", "code": 110000, "documents_indexed": 0, "retry_after": 0.2}))
    ),
    "its rate limit": sends(http(429, json.dumps({"message": "slow", "retry_after": 0.2, "global": False}))),
    "the edge's rate limit": sends(http(429, b"error code: 1015", "Retry-After: 1", kind="text/plain")),
    "null": sends(http(200, b"null")),
    "a text": sends(http(200, b'"maintenance"')),
    "an error with 200": sends(http(200, json.dumps({"message": "busy", "code": 0}))),
    "words before the answer": lambda good: (
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + http(200, good.raw),
    ),
    "drops of bytes": _drip(0.02),
    "UTF-16 that says UTF-8": raw(lambda good: good.decode().encode("utf-16"), kind="application/json; charset=utf-8"),
    "a byte order mark": raw(lambda good: b"\xef\xbb\xbf" + good),
    "a charset that is none": raw(bytes, kind="application/json; charset=klingon"),
    "no kind of content": lambda good: (http(200, good.raw).replace(b"Content-Type: application/json\r\n", b""),),
    "deflate without its frame": raw(
        lambda good: zlib.compressobj(wbits=-15).compress(good) + b"", "Content-Encoding: deflate"
    ),
    "gzip of the answer": raw(gzip.compress, "Content-Encoding: gzip"),
    "limits that are nonsense": raw(
        bytes,
        "X-RateLimit-Remaining: NaN",
        "X-RateLimit-Reset-After: -1e999",
        "X-RateLimit-Bucket: \xff",
        "X-RateLimit-Global: maybe",
    ),
    "a limit that resets in a year": raw(
        bytes, "X-RateLimit-Remaining: 1", "X-RateLimit-Reset-After: 31536000", "X-RateLimit-Bucket: b"
    ),
}
"""What may happen to one answer: the next one is good, and the run whole."""

NONSENSE = ("", "soon", "-5", "NaN", "1e400", "1_0", "0x10", "9" * 400, "Wed, 21 Oct 2099 07:28:00 GMT", "²")
"""Of ``Retry-After``. The longest is no reason to wait for ever, and none a reason to fall over."""


def _with(**changes: Any) -> Act:
    """Return an act that changes these fields of every object of a list, or of the one object."""

    def change(found: Any) -> Any:
        things = found["threads"] if isinstance(found, dict) and "threads" in found else found
        for thing in things if isinstance(things, list) else [things]:
            thing.update(changes)
        return found

    return body(change)


def _listed(change: Callable[[list[Any]], list[Any]]) -> Act:
    """Return an act that changes a list, wherever in the answer it is."""

    def changed(found: Any) -> Any:
        if isinstance(found, list):
            return change(found)
        return {**found, "threads": change(found["threads"])}

    return body(changed)


def _shuffled(found: list[Any]) -> list[Any]:
    random.Random(7).shuffle(found)
    return found


def _without(*keys: str) -> Act:
    def change(found: Any) -> Any:
        things = found["threads"] if isinstance(found, dict) and "threads" in found else found
        for thing in things if isinstance(things, list) else [things]:
            for key in keys:
                thing.pop(key, None)
        return found

    return body(change)


LIES: dict[str, Act] = {
    "null": sends(http(200, b"null")),
    "a text": sends(http(200, b'"maintenance"')),
    "a number": sends(http(200, b"17")),
    "an error with 200": sends(http(200, json.dumps({"message": "busy", "code": 0}))),
    "a page with 200": sends(http(200, PAGE, kind="text/html")),
    "403 with a page": sends(http(403, PAGE, kind="text/html")),
    "code 40002": sends(http(403, json.dumps({"message": "verify your account", "code": 40002}))),
    "a redirect away": sends(http(302, b"", "Location: http://203.0.113.7/login")),
    "ids of words": _with(id="everyone"),
    "no ids": _without("id"),
    "ids that are lists": _with(id=["1"]),
    "ids below zero": _with(id="-1"),
}
"""What no client can believe, however often it is said."""
LIST_LIES: dict[str, Act] = {
    "nulls in the list": _listed(lambda found: [None, *found]),
    "texts in the list": _listed(lambda found: ["x", *found]),
    "lists in the list": _listed(lambda found: [found]),
}
HARMLESS: dict[str, Act] = {
    "everything twice": _listed(lambda found: found + found),
    "the other way round": _listed(lambda found: found[::-1]),
    "no order": _listed(_shuffled),
    "more than we know": _with(zzz={"deep": [[[1]]]}, __proto__=None),
}


def _ids(good: Good) -> tuple[str, ...]:
    return tuple(good.path.split("/"))


def _other_channels(good: Good) -> Iterable[bytes]:
    changed = [{**each, "channel_id": "5"} for each in good.body]
    yield http(200, json.dumps(changed))


def _scenarios() -> Iterator[Scenario]:
    def always(path: str, act: Act) -> tuple[Hostility, ...]:
        return (Hostility(path=path, act=act),)

    for number, (name, act) in enumerate(ONCE.items()):
        path = (MESSAGES, CHANNELS, MESSAGES, SEARCH, MESSAGES, CHANNEL, ME, GUILD)[number % 8]
        yield Scenario(
            name=f"once {name} for {path}",
            hostilities=(Hostility(path=path, act=act, times=1, skip=number % 3 if path is MESSAGES else 0),),
            end=End.WHOLE,
            slow=number % 3 == 2,
        )
    for number, text in enumerate(NONSENSE):
        header = http(429, json.dumps({"message": "slow", "global": number % 2 == 0}), f"Retry-After: {text}")
        yield Scenario(
            name=f"429 with Retry-After {text[:20]!a}",
            hostilities=(Hostility(path=MESSAGES, act=sends(header), times=1),),
            end=End.EITHER,
            slow=number % 2 == 1,
        )
    for text in ("1" + "0" * 400, "-3", "null", '"soon"', "[1]", "1e999", "true"):
        told = http(429, f'{{"message": "slow", "retry_after": {text}}}')
        yield Scenario(
            name=f"429 with retry_after {text[:20]}",
            hostilities=(Hostility(path=MESSAGES, act=sends(told), times=1),),
            end=End.EITHER,
        )
    for path in (ME, GUILD, CHANNELS, ROLES, CHANNEL, MESSAGES, SEARCH, ACTIVE, ARCHIVED):
        bot = path in {ACTIVE, ARCHIVED}
        for name, act in LIES.items():
            harmless = path in {SEARCH, ARCHIVED} and "id" in name.split()  # of no thread
            yield Scenario(
                name=f"always {name} for {path}",
                hostilities=always(path, act),
                end=End.EITHER if harmless else End.TOLD,
                bot=bot,
                patient=name == "a page with 200",
                slow=name not in {"null", "403 with a page"},
            )
        if path in {*LISTS, *THREAD_LISTS}:
            for name, act in LIST_LIES.items():
                yield Scenario(
                    name=f"always {name} for {path}", hostilities=always(path, act), end=End.TOLD, bot=bot, slow=True
                )
            for name, act in HARMLESS.items():
                yield Scenario(
                    name=f"always {name} for {path}",
                    hostilities=always(path, act),
                    end=End.WHOLE,
                    bot=bot,
                    slow=path is not MESSAGES,
                )
    yield from _particular(always)


def _particular(always: Callable[[str, Act], tuple[Hostility, ...]]) -> Iterator[Scenario]:
    refused = sends(http(401, json.dumps({"message": "401: Unauthorized", "code": 0})))
    kept_out = sends(http(403, json.dumps({"message": "Missing Access", "code": 50001})))
    gone = sends(http(404, json.dumps({"message": "Unknown Channel", "code": 10003})))
    busy = sends(http(503, PAGE, kind="text/html"))
    flood = sends(http(429, json.dumps({"message": "slow", "retry_after": 1.0})))
    banned = sends(http(429, json.dumps({"message": "banned", "retry_after": 86_400})))
    table: dict[str, tuple[str, Act, End]] = {
        "a dead token": ("*", refused, End.TOLD),
        "a token that dies": (MESSAGES, refused, End.TOLD),
        "a page with 401": ("*", sends(http(401, PAGE, kind="text/html")), End.TOLD),
        "nothing at all": ("*", sends(), End.TOLD),
        "503 for ever": (MESSAGES, busy, End.TOLD),
        "a flood of 429": (CHANNELS, flood, End.TOLD),
        "a day's ban": (MESSAGES, banned, End.TOLD),
        "a guild that is refused": (GUILD, kept_out, End.TOLD),
        "a guild's channels that are refused": (CHANNELS, kept_out, End.TOLD),
        "a guild's channels that are gone": (CHANNELS, gone, End.TOLD),
        "a guild's channels that are none": (CHANNELS, body(lambda _: []), End.TOLD),
        "messages of another channel": (MESSAGES, _other_channels, End.TOLD),
        "a channel with another id": (CHANNEL, _with(id="5"), End.TOLD),
        "a guild with another id": (GUILD, _with(id="5"), End.TOLD),
        "channels of another guild": (CHANNELS, _with(guild_id="5"), End.TOLD),
        "a channel of another guild": (CHANNEL, _with(guild_id="5"), End.TOLD),
        "messages of the future": (MESSAGES, _with(id=FUTURE), End.TOLD),
        "messages that are all the same": (MESSAGES, _same_message, End.TOLD),
        "messages without authors": (MESSAGES, _with(author=None), End.TOLD),
        "messages whose text is a number": (MESSAGES, _with(content=17), End.EITHER),
        "messages of no time": (MESSAGES, _with(timestamp="2020-13-45"), End.TOLD),
        "messages whose lists are objects": (MESSAGES, _with(attachments={}, embeds={}), End.EITHER),
        "messages with half a character": (MESSAGES, _with(content="\ud800x"), End.EITHER),
        "messages that hide their channel": (MESSAGES, _without("channel_id"), End.WHOLE),
        "messages that ignore what is asked": (MESSAGES, _first_page, End.TOLD),
        "messages that end early": (MESSAGES, _early_end, End.TOLD),
        "threads without an end": (SEARCH, _endless_threads, End.TOLD),
        "threads that say there are more": (SEARCH, _more, End.WHOLE),
        "threads under another key": (SEARCH, body(lambda found: {"items": found["threads"]}), End.TOLD),
        "threads of another channel": (SEARCH, _with(parent_id="5"), End.TOLD),
        "members who are another": (MEMBER, body(lambda _: {"user": {"id": "5"}, "roles": []}), End.TOLD),
        "channels with no kind": (CHANNELS, _without("type"), End.TOLD),
        "channels with a kind of words": (CHANNELS, _with(type="text"), End.TOLD),
        "channels with names that climb": (CHANNELS, _with(name="../../../../tmp/x"), End.EITHER),
        "channels with names of control characters": (CHANNELS, _with(name="a\x1b[2J\r\n\x00b\u202e"), End.WHOLE),
        "channels with very long names": (CHANNELS, _with(name="x" * 100_000), End.WHOLE),
        "roles with positions of words": (ROLES, _with(position="high"), End.TOLD),
        "members that are nobody": (MEMBER, body(lambda _: {"user": {}, "roles": []}), End.TOLD),
        "reactions of nobody": (REACTIONS, _without("id"), End.TOLD),
        "reactions without an end": (REACTIONS, _endless_users, End.TOLD),
    }
    patient = {"nothing at all", "503 for ever", "a flood of 429"}
    for name, (path, act, end) in table.items():
        yield Scenario(name=name, hostilities=always(path, act), end=end, patient=name in patient)
    for name, act in {"forbidden messages": kept_out, "gone messages": gone}.items():
        yield Scenario(name=name, hostilities=always(MESSAGES, act), end=End.EITHER, may_skip=True)
    yield Scenario(
        name="an empty history", hostilities=always(MESSAGES, body(lambda _: [])), end=End.EITHER, may_skip=True
    )
    for name, act in {
        "a silence": sends(90.0),
        "a silence in the body": sends(http(200, b"[", "Content-Length: 9"), 90.0),
    }.items():
        yield Scenario(
            name=f"once {name}", hostilities=(Hostility(path=MESSAGES, act=act, times=1),), end=End.WHOLE, slow=True
        )


def _first_page(good: Good) -> Iterable[bytes]:
    changed = [] if not good.body else [{**each, "id": str(10**17 + at)} for at, each in enumerate(good.body)]
    yield http(200, json.dumps(changed))


def _same_message(good: Good) -> Iterable[bytes]:
    found = [{**good.body[0], "id": str(10**17)}] if good.body else []
    yield http(200, json.dumps(found))


def _early_end(good: Good) -> Iterable[bytes]:
    """Tell the newest message when asked for one, and nothing when asked for pages."""
    yield http(200, good.raw if good.query.get("limit") == "1" else b"[]")


def _endless_threads(good: Good) -> Iterable[bytes]:
    first = 10**17 + 1000 * int(good.query.get("offset", "0"))
    parent = _ids(good)[2]
    found = [{"id": str(first + at), "type": 11, "parent_id": parent, "name": "t"} for at in range(25)]
    yield http(200, json.dumps({"threads": found, "has_more": True, "total_results": 1}))


def _endless_users(good: Good) -> Iterable[bytes]:
    after = int(good.query.get("after", "0"))
    yield http(200, json.dumps([{"id": str(after + 1 + at), "username": "u"} for at in range(100)]))


def _more(good: Good) -> Iterable[bytes]:
    yield http(good.status, json.dumps({**good.body, "has_more": True}))


SCENARIOS = tuple(_scenarios())
