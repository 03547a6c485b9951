"""What each endpoint's answer must look like: declared once, checked before anything in it is believed.

A proxy's greeting, an error that came with 200, a list under another name: all are JSON, and none of them is an empty
channel. What is declared here are the parts that our own decisions rest on; the inside of a message is read by
``message``, which names the message that it cannot read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dce_play.snowflake import is_number
from dce_play.system.counted import counted

MOST_ITEMS = 20_000
"""In one answer. Discord's longest are a guild's channels (500) and its active threads (1,000)."""


class Kind(StrEnum):
    """What a field must be; the values are the words of the complaint."""

    ID = "an id"
    TEXT = "a text"
    NUMBER = "a whole number"
    FLAG = "true or false"
    LIST = "an array"
    OBJECT = "an object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An object's fields that must be there, those that may, and its list of things of one shape."""

    required: Mapping[str, Kind]
    optional: Mapping[str, Kind]
    """Checked where they are neither missing nor null."""
    list_key: str = ""
    items: "Shape | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The paths that one rule is for, and what they answer: one object, or an array of them."""

    path: re.Pattern[str]
    shape: Shape
    is_array: bool = False
    about: str = ""
    """The field that repeats the path's id, the last one in it: what answers for something else is no answer."""


def _shape(required: str, optional: str = "", **more: Any) -> Shape:
    return Shape(required=_fields(required), optional=_fields(optional), **more)


def _fields(text: str) -> dict[str, Kind]:
    pairs = (field.split(":") for field in text.split())
    return {name: Kind[kind.upper()] for name, kind in pairs}


_CHANNEL = _shape("id:id type:number", "guild_id:id parent_id:id last_message_id:id name:text recipients:list")
_THREADS = _shape("threads:list", "has_more:flag total_results:number", list_key="threads", items=_CHANNEL)
_USER = _shape("id:id", "username:text")


def _endpoint(path: str, shape: Shape, *, is_array: bool = False, about: str = "") -> Endpoint:
    pattern = re.compile(path.replace("{}", "([^/]+)"))
    return Endpoint(path=pattern, shape=shape, is_array=is_array, about=about)


ENDPOINTS = (
    _endpoint("users/@me", _USER),
    _endpoint("users/@me/guilds", _shape("id:id name:text"), is_array=True),
    _endpoint("users/@me/channels", _CHANNEL, is_array=True),
    _endpoint("users/{}", _USER, about="id"),
    _endpoint("applications/@me", _shape("id:id", "flags:number")),
    _endpoint("attachments/refresh-urls", _shape("refreshed_urls:list")),
    _endpoint("guilds/{}", _shape("id:id name:text"), about="id"),
    _endpoint("guilds/{}/channels", _CHANNEL, is_array=True, about="guild_id"),
    _endpoint("guilds/{}/roles", _shape("id:id name:text position:number", "color:number"), is_array=True),
    _endpoint("guilds/{}/members/{}", _shape("user:object", "roles:list"), about="user.id"),
    _endpoint("guilds/{}/threads/active", _THREADS, about="guild_id"),
    _endpoint("channels/{}", _CHANNEL, about="id"),
    _endpoint("channels/{}/messages", _shape("id:id"), is_array=True, about="channel_id"),
    _endpoint("channels/{}/messages/{}/reactions/{}", _USER, is_array=True),
    _endpoint("channels/{}/threads/search", _THREADS, about="parent_id"),
    _endpoint("channels/{}/threads/archived/(?:public|private)", _THREADS, about="parent_id"),
)


def complaint(path: str, body: Any) -> str | None:
    """Return what is wrong with an answer's shape, with its place, or ``None``."""
    for endpoint in ENDPOINTS:
        if (match := endpoint.path.fullmatch(path)) is not None:
            found = _of_array(body, endpoint.shape, "") if endpoint.is_array else _of_object(body, endpoint.shape, "")
            return next(found, None) or next(_about_another(body, endpoint, match.groups()), None)
    return None


def _about_another(body: Any, endpoint: Endpoint, ids: tuple[str, ...]) -> Iterator[str]:
    """Yield what in an answer of the right shape is about something else than was asked for."""
    things = body if endpoint.is_array else body[endpoint.shape.list_key] if endpoint.shape.items else [body]
    for thing in things if endpoint.about else ():
        found = thing
        for name in endpoint.about.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if found is not None and str(found) != ids[-1]:
            yield f"its {endpoint.about} is {str(found)[:24]}, which was not asked for"


def _of_array(value: Any, shape: Shape, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{place or 'it'} is not an array"
        return
    if len(value) > MOST_ITEMS:
        yield f"{place or 'it'} has {counted(len(value), 'item')}"
        return
    for index, item in enumerate(value):
        yield from _of_object(item, shape, f"{place}[{index}]")


def _of_object(value: Any, shape: Shape, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place or 'it'} is not an object"
        return
    before = f"{place}." if place else ""
    for name, kind in shape.required.items():
        if name not in value:
            yield f"{before}{name} is missing"
        elif not _fits(value[name], kind):
            yield f"{before}{name} is not {kind}"
    for name, kind in shape.optional.items():
        found = value.get(name)
        if found is not None and not _fits(found, kind):
            yield f"{before}{name} is not {kind}"
    if shape.items is not None:
        yield from _of_array(value.get(shape.list_key), shape.items, f"{before}{shape.list_key}")


def _fits(value: Any, kind: Kind) -> bool:
    match kind:
        case Kind.ID:
            return (isinstance(value, str) or type(value) is int) and is_number(str(value)[:24])
        case Kind.TEXT:
            return isinstance(value, str)
        case Kind.NUMBER:
            return type(value) is int
        case Kind.FLAG:
            return isinstance(value, bool)
        case Kind.LIST:
            return isinstance(value, list)
        case Kind.OBJECT:
            return isinstance(value, dict)
