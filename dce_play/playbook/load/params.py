"""The values of a playbook's params: default < environment < ``-e @file`` < ``-e name=value`` or option."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dce_play.errors import UsageError
from dce_play.playbook.document.document import load_document
from dce_play.playbook.language.declared import default_value, param_shape
from dce_play.playbook.language.model import ParamSpec, ParamType
from dce_play.playbook.types.coerce import WrongValue, check, from_text
from dce_play.playbook.types.values import SecretReference, plain
from dce_play.source import JsonValue, did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamValue:
    """A param's value, and who gave it."""

    value: object
    """Plain data by the declared type: durations in seconds, sizes in bytes, secrets as references."""
    origin: str
    """``default``, ``DCE_NAME``, ``values.yml:3:5``, ``-e`` or ``--name``."""


class WrongParams(UsageError):
    """The values given do not fit the params declared. ``mistakes`` are lines for people."""

    def __init__(self, mistakes: Sequence[str], *, hint: str = "") -> None:
        more = "" if len(mistakes) == 1 else "\n  " + "\n  ".join(mistakes[1:])
        super().__init__(f"{mistakes[0]}{more}", hint=hint)
        self.mistakes = tuple(mistakes)


def option_name(name: str) -> str:
    """Return the command-line option of a param."""
    return "--" + name.replace("_", "-")


def resolve_params(
    specs: Mapping[str, ParamSpec],
    *,
    extra: Iterable[str] = (),
    options: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, ParamValue]:
    """Return a value for each declared param.

    ``extra`` are the arguments of ``-e`` in order: ``name=value`` or ``@file``. ``options`` are the texts of the
    options that were given, by param name; a flag's text is ``true`` or ``false``.

    Raises: WrongParams, with all mistakes; InvalidDocument, for a file that is not sound; UsageError, for one that
    cannot be read.
    """
    reader = _Reader(specs)
    found: dict[str, ParamValue] = {}
    for name, spec in specs.items():
        found[name] = ParamValue(value=default_value(spec), origin="default")
        if spec.env and environment and spec.env in environment:
            reader.text(found, name, environment[spec.env], origin=spec.env)
    written = [argument for argument in extra if not argument.startswith("@")]
    for argument in extra:
        if argument.startswith("@"):
            reader.file(found, Path(argument[1:]))
    for argument in written:
        name, equals, text = argument.partition("=")
        if equals:
            reader.text(found, name, text, origin="-e")
        else:
            reader.mistakes.append(f'-e takes name=value or @file, not "{argument}"')
    for name, text in (options or {}).items():
        reader.text(found, name, text, origin=option_name(name))
    reader.check_together(found)
    if reader.mistakes:
        raise WrongParams(reader.mistakes, hint=reader.hint)
    return found


class _Reader:
    """Reads values into params and keeps the mistakes."""

    def __init__(self, specs: Mapping[str, ParamSpec]) -> None:
        self._specs = specs
        self.mistakes: list[str] = []
        self.hint = ""

    def _spec(self, name: str, origin: str) -> ParamSpec | None:
        if name not in self._specs:
            self.mistakes.append(f'{origin}: the playbook has no param "{name}"')
            self.hint = self.hint or did_you_mean(name, self._specs) or "it has no params"
            return None
        return self._specs[name]

    def text(self, found: dict[str, ParamValue], name: str, text: str, *, origin: str) -> None:
        """Read the text of a command line or environment."""
        spec = self._spec(name, origin)
        if spec is None:
            return
        try:
            found[name] = ParamValue(value=from_text(text, param_shape(spec)), origin=origin)
        except WrongValue as error:
            self.mistakes.append(f"{origin}: {name}: {error}")

    def file(self, found: dict[str, ParamValue], path: Path) -> None:
        """Read a file of values."""
        document = load_document(path)
        if not isinstance(document.value, dict):
            self.mistakes.append(f"{path}: params are a mapping")
            return
        for name, value in document.value.items():
            origin = str(document.key_span((name,)))
            spec = self._spec(name, origin)
            if spec is None:
                continue
            try:
                found[name] = ParamValue(value=check(value, param_shape(spec)), origin=origin)
            except WrongValue as error:
                self.mistakes.append(f"{origin}: {name}: {error}")

    def check_together(self, found: Mapping[str, ParamValue]) -> None:
        """Note params that are missing, and those that cannot go together."""
        for name, spec in self._specs.items():
            if spec.required and found[name].origin == "default":
                where = f" or {spec.env} in the environment" if spec.env else ""
                self.mistakes.append(f"{name} is missing: give {option_name(name)}{where}")
            for other in spec.conflicts:
                pair_seen = other in self._specs and name in self._specs[other].conflicts and other < name
                both = other in self._specs and _is_on(spec, found) and _is_on(self._specs[other], found)
                if both and not pair_seen:
                    self.mistakes.append(f"{option_name(name)} and {option_name(other)} cannot go together")


def _is_on(spec: ParamSpec, found: Mapping[str, ParamValue]) -> bool:
    """Return whether a param counts for ``conflicts``: a bool that is true, or anything else that was given."""
    given = found[spec.name]
    return given.value is True if spec.type is ParamType.BOOL else given.origin != "default"


def as_names(values: Mapping[str, ParamValue]) -> dict[str, object]:
    """Return ``params`` as expressions see it."""
    return {name: plain(each.value) for name, each in values.items()}


def as_recorded(values: Mapping[str, ParamValue]) -> dict[str, JsonValue]:
    """Return the values as a journal may hold them: secrets as references."""
    return {name: _recorded(each.value) for name, each in values.items()}


def _recorded(value: object) -> JsonValue:
    match value:
        case SecretReference():
            return value.reference
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_recorded(each) for each in value]
        case dict():
            return {str(name): _recorded(each) for name, each in value.items()}
        case _:
            return str(value)
