"""The same export in every layout that JSON allows, and small exports to build them from."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Value = dict[str, Any]

CHANNEL_ID = "796622485192704000"


def message(identifier: int | str, content: str = "hello", **more: Any) -> Value:
    """Return a small message with nested objects that look like messages."""
    return {
        "id": str(identifier),
        "type": "Default",
        "timestamp": "2024-01-01T01:00:00.5+00:00",
        "timestampEdited": None,
        "content": content,
        "author": {"id": "7", "name": 'a "quoted" },{"id" name', "roles": [{"id": "8", "position": 1}, {"id": "9"}]},
        "attachments": [],
        "reactions": [{"emoji": {"id": "", "name": "🎩"}, "count": 2}, {"emoji": {"id": "5"}, "count": 1}],
    } | more


def export(messages: Iterable[Value], **more: Any) -> Value:
    """Return an export of these messages, its keys in the exporter's order."""
    listed = list(messages)
    return {
        "guild": {"id": "754679440998400000", "name": "Guild ✨", "iconUrl": None},
        "channel": {"id": CHANNEL_ID, "type": "GuildTextChat", "name": "rich", "topic": '"messages": [ ],'},
        "dateRange": {"after": None, "before": None},
        "exportedAt": "2026-11-21T02:05:00.8680747+00:00",
        **more,
        "messages": listed,
        "messageCount": len(listed),
    }


def dce(value: Value) -> bytes:
    """Return the exporter's own layout: two spaces, surrogate pairs, no line break at the end."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(c if ord(c) < 0x10000 else _pair(c) for c in text).encode()


def _pair(character: str) -> str:
    high, low = divmod(ord(character) - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04X}\\u{0xDC00 + low:04X}"


def _reordered(value: Value, keys: Sequence[str]) -> Value:
    return {key: value[key] for key in keys if key in value} | {k: v for k, v in value.items() if k not in keys}


LAYOUTS: dict[str, Callable[[Value], bytes]] = {
    "dce": dce,
    "jq": lambda value: json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n",
    "crlf": lambda value: dce(value).replace(b"\n", b"\r\n"),
    "bom": lambda value: b"\xef\xbb\xbf" + dce(value),
    "four spaces": lambda value: json.dumps(value, indent=4, ensure_ascii=False).encode(),
    "tabs": lambda value: json.dumps(value, indent="\t").encode(),
    "no indentation": lambda value: json.dumps(value, indent=0).encode(),
    "minified": lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(),
    "one line": lambda value: json.dumps(value).encode() + b"\n",
    "odd spaces": lambda value: json.dumps(value, separators=(" ,\t", "  : ")).encode() + b" \r\n ",
    "sorted keys": lambda value: json.dumps(value, indent=2, sort_keys=True).encode(),
    "sorted keys minified": lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True).encode(),
    "escaped keys": lambda value: dce(value).replace(b'\n  "messages"', b'\n  "mess\\u0061ges"'),
    "no count": lambda value: dce({k: v for k, v in value.items() if k != "messageCount"}),
    "bare": lambda value: dce({k: value[k] for k in ("channel", "messages")}),
    "count first": lambda value: dce(_reordered(value, ["messageCount"])),
}
"""Layouts in which the channel stands before the messages."""

MESSAGES_FIRST: dict[str, Callable[[Value], bytes]] = {
    "messages first": lambda value: dce(_reordered(value, ["messages"])),
    "messages first, minified": lambda value: json.dumps(
        _reordered(value, ["messages"]), separators=(",", ":")
    ).encode(),
    "deep trailer": lambda value: dce(
        _reordered(value, ["messages"]) | {"extra": {"list": [{"id": "1"}, {"id": "2"}], "a": {"b": {"c": [{}, {}]}}}}
    ),
}
