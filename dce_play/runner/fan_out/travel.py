"""Values of a scope as JSON and back: plain data as it is, secrets as their references and never as themselves."""

from dce_play.errors import DcePlayError, ExitCode
from dce_play.playbook.types.values import SecretReference
from dce_play.runner.record.stream import Mask, masked
from dce_play.source import JsonValue

_SECRET = "$secret"  # noqa: S105 - the mark of a reference
_MAPPING = "$mapping"


class SecretWouldTravel(DcePlayError):
    """A value that an item needs holds a secret as plain text."""

    exit_code = ExitCode.INVALID

    def __init__(self, name: str) -> None:
        super().__init__(
            f'"{name}" holds a secret, and what a loop with fan_out hands to its items may not',
            hint="hand on the reference (env:NAME, file:PATH), or do without fan_out",
        )
        self.name = name


def to_wire(value: object, /) -> JsonValue:
    """Return a value of a scope as JSON.

    Raises: TypeError, for what is no plain data.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case SecretReference():
            return {_SECRET: value.reference}
        case dict():
            made: dict[str, JsonValue] = {str(key): to_wire(each) for key, each in value.items()}
            return {_MAPPING: made} if any(key.startswith("$") for key in made) else made
        case list() | tuple():
            return [to_wire(each) for each in value]
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be handed to another run")


def from_wire(value: JsonValue, /) -> object:
    """Return the value that ``to_wire`` was given."""
    match value:
        case {"$secret": str(reference)}:
            return SecretReference(reference)
        case {"$mapping": dict(inner)}:
            return {key: from_wire(each) for key, each in inner.items()}
        case dict():
            return {key: from_wire(each) for key, each in value.items()}
        case list():
            return [from_wire(each) for each in value]
        case _:
            return value


def refuse_secrets(name: str, value: JsonValue, mask: Mask, /) -> None:
    """Look for secrets in what would be handed on.

    Raises: SecretWouldTravel.
    """
    if mask.armed and masked(value, mask) != value:
        raise SecretWouldTravel(name)
