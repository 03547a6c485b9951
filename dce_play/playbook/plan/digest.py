"""The hash of what an author wrote, without its places: a resume compares it with that of the run before."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from operator import attrgetter

from dce_play.playbook.language.model import Expression, Fields, Items, Keywords, Literal, Text

_KEYWORD_NAMES = tuple(each.name for each in fields(Keywords) if each.name != "tags")  # tags only choose
_all_of = attrgetter(*_KEYWORD_NAMES)
_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


def digest(written: object, /) -> str:
    """Return the hash of templates, keywords, texts and lists of them."""
    return hashlib.sha256(_encode(_written(written)).encode()).hexdigest()[:32]


def _written(value: object) -> object:
    """Return what was written, without places."""
    return value if not value or isinstance(value, str) else _without_places(value)  # most of a step is empty


def _without_places(value: object) -> object:
    match value:
        case Literal(value=plain):
            return plain
        case Expression(text=text):
            return {"expression": text}
        case Text(parts=parts):
            return {"text": [_written(part) for part in parts]}
        case Items(items=inner) | Fields(fields=inner):
            return _written(inner)
        case Keywords():
            return {
                name: _written(each) if each else each
                for name, each in zip(_KEYWORD_NAMES, _all_of(value), strict=True)
            }
        case Mapping():
            return {str(key): _written(item) for key, item in value.items()}
        case list() | tuple():
            return [_written(item) for item in value]
        case _:
            return value
