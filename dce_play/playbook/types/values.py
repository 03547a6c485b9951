"""Values as expressions see them: plain data, unknowns that spread, and secrets that can only be handed on whole."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import ClassVar, NoReturn

from dce_play.plugin import UNKNOWN, Unknown


class UnknownTouched(Exception):
    """An expression needs the value of something that only a real run can know."""


class SecretTouched(Exception):
    """An expression tried to do something with a secret other than to hand it on whole."""


class _Untouchable:
    """Whatever is done with it raises; it can only be passed along."""

    __slots__ = ()
    error: ClassVar[type[Exception]]

    def _refuse(self, *_: object) -> NoReturn:
        raise self.error

    __bool__ = __len__ = __iter__ = __str__ = __int__ = __float__ = __call__ = __hash__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __getitem__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __pos__ = _refuse


class Unready(_Untouchable):
    """``UNKNOWN`` inside a scope: an expression that needs it is unknown as a whole."""

    __slots__ = ()
    error = UnknownTouched

    def __repr__(self) -> str:
        return repr(UNKNOWN)


UNREADY = Unready()


class SecretReference(_Untouchable):
    """Where a secret is, such as ``env:DISCORD_TOKEN``. The secret itself is never in a scope."""

    __slots__ = ("reference",)
    error = SecretTouched

    def __init__(self, reference: str) -> None:
        self.reference = reference

    def __repr__(self) -> str:
        return f"<secret in {self.reference}>"


_LEAVES = frozenset({str, int, float, bool, type(None)})


def plain(value: object, /) -> object:
    """Return a value as plain data, deeply: dataclasses as mappings, paths and dates as text, tuples as lists."""
    if type(value) in _LEAVES:
        return value
    match value:
        case Unknown() | Unready():
            return UNREADY
        case Enum():
            return plain(value.value)
        case None | bool() | int() | float() | str() | SecretReference():
            return value
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    named = fields(value) if is_dataclass(value) and not isinstance(value, type) else None
    return str(value) if named is None else {field.name: plain(getattr(value, field.name)) for field in named}


def holds_unknown(value: object, /) -> bool:
    """Return whether anything in a plain value is unknown."""
    match value:
        case Unknown() | Unready():
            return True
        case dict():
            return any(holds_unknown(item) for item in value.values())
        case list():
            return any(holds_unknown(item) for item in value)
        case _:
            return False


REGISTERED_NAMES = ("status", "changed", "failed", "summary")
"""What a registered record has besides the step's outputs."""


def registered(outputs: object, /, *, status: str, changed: bool | Unknown, summary: str) -> dict[str, object]:
    """Return what ``register`` keeps of a step: its outputs, and ``status``, ``changed``, ``failed``, ``summary``.

    ``outputs`` is an instance of the step's ``Outputs``, a mapping in which a value may be ``UNKNOWN``, or ``None``.
    """
    own = plain(outputs) if outputs is not None else {}
    if not isinstance(own, dict):
        raise TypeError(f"outputs are a {type(outputs).__name__}, not a dataclass or mapping")
    about = (plain(status), plain(changed), status == "failed", summary)
    return own | dict(zip(REGISTERED_NAMES, about, strict=True))
