"""What a value may be: one description of a type, made from the hints of ``Params`` and ``Outputs``.

The JSON Schema, the type check, the conversion of values and the documentation are all made from shapes.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from dataclasses import replace as with_changes
from datetime import date, datetime
from enum import Enum, StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from dce_play.plugin import Duration, Info, Size, StepInfo
from dce_play.snowflake import ChannelId, GuildId, MessageId
from dce_play.source import JsonValue


class Kind(StrEnum):
    """The plain kinds of value."""

    ANY = "any"
    NULL = "null"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    STR = "str"
    LIST = "list"
    MAP = "map"
    SECRET = "secret"  # noqa: S105 - a kind's name


class Format(StrEnum):
    """What a text or number stands for."""

    NONE = ""
    PATH = "path"
    DURATION = "duration"
    SIZE = "size"
    SNOWFLAKE = "snowflake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a value may be."""

    kind: Kind = Kind.ANY
    nullable: bool = False
    format: Format = Format.NONE
    item: "Shape | None" = None
    """Of a list's items, or of the values of a mapping with any keys."""
    fields: "Mapping[str, Field] | None" = None
    """Of a mapping with known keys; ``None`` when any key may be."""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    minimum: float | None = None
    maximum: float | None = None
    make: Any = None
    """What the Python value is made with: an enum, a dataclass, ``tuple``; ``None`` for the plain value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One named value in a mapping of known keys."""

    name: str
    shape: Shape
    required: bool = True
    default: object = None
    help: str = ""
    unit: str = ""
    example: object = None


ANY = Shape()
NULL = Shape(kind=Kind.NULL, nullable=True)
BOOL = Shape(kind=Kind.BOOL)
INT = Shape(kind=Kind.INT)
FLOAT = Shape(kind=Kind.FLOAT)
STR = Shape(kind=Kind.STR)
DURATION = Shape(kind=Kind.FLOAT, format=Format.DURATION)
SIZE = Shape(kind=Kind.INT, format=Format.SIZE)
SNOWFLAKE = Shape(kind=Kind.STR, format=Format.SNOWFLAKE)
PATH = Shape(kind=Kind.STR, format=Format.PATH, make=Path)
SECRET = Shape(kind=Kind.SECRET)

_SIMPLE: dict[Any, Shape] = {
    bool: BOOL,
    int: INT,
    float: FLOAT,
    str: STR,
    type(None): NULL,
    Any: ANY,
    object: ANY,
    Path: PATH,
    Duration: DURATION,
    Size: SIZE,
    ChannelId: SNOWFLAKE,
    GuildId: SNOWFLAKE,
    MessageId: SNOWFLAKE,
    datetime: Shape(kind=Kind.STR, make=datetime.fromisoformat),
    date: Shape(kind=Kind.STR, make=date.fromisoformat),
}


def list_of(item: Shape) -> Shape:
    """Return the shape of a list."""
    return Shape(kind=Kind.LIST, item=item)


def mapping_of(known: Mapping[str, Shape]) -> Shape:
    """Return the shape of a mapping whose keys are all there."""
    return Shape(kind=Kind.MAP, fields={name: Field(name=name, shape=shape) for name, shape in known.items()})


@cache
def shape_of(hint: Any) -> Shape:
    """Return the shape that a type hint describes.

    Raises: TypeError, for a hint that a playbook has no words for.
    """
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        infos = [extra for extra in args[1:] if isinstance(extra, Info)]
        return _annotated(shape_of(args[0]), infos[0]) if infos else shape_of(args[0])
    if hasattr(hint, "__supertype__"):
        return shape_of(hint.__supertype__)
    if origin in {typing.Union, types.UnionType}:
        return _union(args)
    if origin is typing.Literal:
        return Shape(kind=Kind.STR, choices=tuple(map(str, args)))
    return _of_class(hint, origin or hint, args)


def _of_class(hint: Any, origin: Any, args: tuple[Any, ...]) -> Shape:
    if isinstance(origin, type):
        if issubclass(origin, Enum):
            return Shape(kind=Kind.STR, choices=tuple(str(member.value) for member in origin), make=origin)
        if is_dataclass(origin):
            return Shape(kind=Kind.MAP, fields={each.name: each for each in fields_of(origin)}, make=origin)
        if issubclass(origin, dict | Mapping):
            return Shape(kind=Kind.MAP, item=shape_of(args[1]) if args else ANY)
        if issubclass(origin, list | tuple | set | frozenset) or origin.__name__ in {"Sequence", "Iterable"}:
            make = None if issubclass(origin, list) else tuple if not issubclass(origin, set | frozenset) else origin
            return Shape(kind=Kind.LIST, item=shape_of(args[0]) if args else ANY, make=make)
    raise TypeError(f"{hint} has no place in a playbook")


def _annotated(shape: Shape, info: Info) -> Shape:
    # What is said of a list's values is said of its items; ``choices`` and the rest have no meaning for a list.
    if shape.kind is Kind.LIST and shape.item is not None:
        return with_changes(shape, item=_annotated(shape.item, info))
    return with_changes(
        shape,
        pattern=info.pattern or shape.pattern,
        minimum=info.minimum if info.minimum is not None else shape.minimum,
        maximum=info.maximum if info.maximum is not None else shape.maximum,
        choices=info.choices or shape.choices,
    )


def _union(args: tuple[Any, ...]) -> Shape:
    others = [arg for arg in args if arg is not type(None)]
    nullable = len(others) < len(args)
    if len(others) == 1:
        return with_changes(shape_of(others[0]), nullable=nullable)
    if set(others) == {int, float}:
        return with_changes(FLOAT, nullable=nullable)
    return ANY


@cache
def fields_of(described: type) -> tuple[Field, ...]:
    """Return the fields of a dataclass such as ``Params``.

    Raises: TypeError, for a hint that a playbook has no words for.
    """
    hints = typing.get_type_hints(described, include_extras=True)
    return tuple(_field(each, hints[each.name]) for each in fields(described) if each.init)


def _field(described: Any, hint: Any) -> Field:
    info = next((extra for extra in typing.get_args(hint)[1:] if isinstance(extra, Info)), Info(help=""))
    has_default = described.default is not MISSING or described.default_factory is not MISSING
    default = described.default_factory() if described.default_factory is not MISSING else described.default
    return Field(
        name=described.name,
        shape=shape_of(hint),
        required=not has_default,
        default=default if has_default else None,
        help=info.help,
        unit=info.unit,
        example=info.example,
    )


@dataclass(frozen=True, slots=True)
class Signature:
    """What a step takes and gives."""

    params: Mapping[str, Field]
    outputs: Mapping[str, Field] = field(default_factory=dict)


def signature(step: StepInfo) -> Signature:
    """Return what a step takes and gives."""
    params: type = step.Params
    outputs: type = step.Outputs
    return _signature(params, outputs)


@cache
def _signature(params: type, outputs: type) -> Signature:
    return Signature(
        {each.name: each for each in fields_of(params)},
        {each.name: each for each in fields_of(outputs)},
    )


def shape_of_value(value: JsonValue) -> Shape:
    """Return the shape of a literal value."""
    match value:
        case None:
            return NULL
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return FLOAT
        case str():
            return STR
        case list():
            shapes = {shape_of_value(item).kind for item in value}
            return list_of(shape_of_value(value[0]) if len(shapes) == 1 else ANY)
        case dict():
            fields = {name: Field(name=name, shape=shape_of_value(item)) for name, item in value.items()}
            return Shape(kind=Kind.MAP, fields=fields)


def describe(shape: Shape) -> str:
    """Return the shape as a word or two for people."""
    if shape.choices:
        return "one of " + ", ".join(each or '""' for each in shape.choices)
    if shape.format is not Format.NONE:
        return shape.format.value
    match shape.kind:
        case Kind.LIST:
            return f"list of {describe(shape.item)}" if shape.item and shape.item.kind is not Kind.ANY else "list"
        case Kind.MAP:
            return "mapping"
        case Kind.STR:
            return "text"
        case Kind.INT:
            return "whole number"
        case Kind.FLOAT:
            return "number"
        case _:
            return shape.kind.value


def with_article(words: str) -> str:
    """Return ``a number``, ``an integer``, but ``text`` and ``one of …`` as they are."""
    if words.startswith(("text", "null", "one of", "any")):
        return words
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"
