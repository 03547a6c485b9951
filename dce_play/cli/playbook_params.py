"""A playbook's params on the command line: which options they become, and the values that a run gets.

Precedence, lowest first: default, environment, ``-e @file``, ``-e name=value`` and the param's own option.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from dce_play.errors import UsageError
from dce_play.playbook.coerce import WrongValue, check, from_text
from dce_play.playbook.declared import default_value, param_shape
from dce_play.playbook.document import load_document
from dce_play.playbook.model import ParamSpec, ParamType
from dce_play.playbook.values import SecretReference
from dce_play.source import JsonValue, did_you_mean

PREFIX = "param_"
"""Before a param's name among click's, so that a param may be called like an option of ours."""


class BadParam(UsageError):
    """A param's value is missing, unknown, of the wrong type, or excluded by another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamValues:
    """The params of a run."""

    typed: Mapping[str, object]
    recorded: Mapping[str, JsonValue]
    """As the journal shows them: secrets as references."""


def param_options(specs: Mapping[str, ParamSpec], taken: set[str], /) -> list[click.Option]:
    """Return one option a param; those whose name is ``taken`` by an option of ``run`` are set by ``-e`` only."""
    return [_option(spec) for spec in specs.values() if _flag(spec.name) not in taken]


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _option(spec: ParamSpec) -> click.Option:
    names = [PREFIX + spec.name, _flag(spec.name)]
    text = spec.help + _extra_help(spec)
    if spec.type is ParamType.BOOL:
        names[1] = f"{_flag(spec.name)}/--no-{spec.name.replace('_', '-')}"
        return click.Option(names, default=None, help=text)
    kind: click.ParamType = click.STRING
    if spec.choices:
        kind = click.Choice(spec.choices)
    elif spec.type is ParamType.PATH:
        kind = click.Path()
    metavar = None if spec.choices else spec.type.upper()
    return click.Option(names, type=kind, multiple=spec.type is ParamType.LIST, metavar=metavar, help=text)


def _extra_help(spec: ParamSpec) -> str:
    facts = []
    if spec.required:
        facts.append("required")
    elif spec.default not in {None, "", False} if not isinstance(spec.default, list | dict) else bool(spec.default):
        facts.append(f"default: {spec.default}")
    if spec.env:
        facts.append(f"env: {spec.env}")
    return f"  [{'; '.join(facts)}]" if facts else ""


def param_values(
    specs: Mapping[str, ParamSpec],
    *,
    given: Mapping[str, object],
    extra: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
) -> ParamValues:
    """Return the value of every param.

    Raises: BadParam; InvalidDocument, for a file of ``-e @file``.
    """
    raw: dict[str, object] = {}
    for spec in specs.values():
        if spec.env and spec.env in environment:
            raw[spec.name] = _from_text(spec, environment[spec.env], f"the environment's {spec.env}")
    for text in [each for each in extra if each.startswith("@")]:
        raw.update(_from_file(specs, folder / text[1:]))
    for text in [each for each in extra if not each.startswith("@")]:
        name, equals, value = text.partition("=")
        if not equals:
            raise BadParam(f"-e {text}: write name=value or @file")
        raw[name] = _from_text(_known(specs, name), value, f"-e {name}")
    for name, value in given.items():
        raw[name] = _from_option(specs[name], value)
    _check_conflicts(specs, raw)
    typed: dict[str, object] = {}
    for spec in specs.values():
        if spec.name not in raw and spec.required:
            hint = f"give it with {_flag(spec.name)} or -e {spec.name}=…"
            raise BadParam(f"{spec.name} is required and has no value", hint=hint)
        typed[spec.name] = raw[spec.name] if spec.name in raw else default_value(spec)
    return ParamValues(typed=typed, recorded={name: _recorded(value) for name, value in typed.items()})


def _known(specs: Mapping[str, ParamSpec], name: str) -> ParamSpec:
    if name not in specs:
        raise BadParam(f'the playbook has no param "{name}"', hint=did_you_mean(name, specs))
    return specs[name]


def _from_text(spec: ParamSpec, text: str, source: str) -> object:
    try:
        return from_text(text, param_shape(spec))
    except WrongValue as error:
        raise BadParam(f"{source}: {error}") from error


def _from_option(spec: ParamSpec, value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, tuple | list):
        merged: list[object] = []
        for each in value:
            part = _from_text(spec, str(each), _flag(spec.name))
            merged += part if isinstance(part, list) else [part]
        return merged
    return _from_text(spec, str(value), _flag(spec.name))


def _from_file(specs: Mapping[str, ParamSpec], path: Path) -> dict[str, object]:
    document = load_document(path)
    if not isinstance(document.value, dict):
        raise BadParam(f"{path}: a mapping of params is needed")
    found: dict[str, object] = {}
    for name, value in document.value.items():
        spec = _known(specs, name)
        try:
            found[name] = check(value, param_shape(spec))
        except WrongValue as error:
            raise BadParam(f"{document.value_span((name,))}: {name}: {error}") from error
    return found


def _check_conflicts(specs: Mapping[str, ParamSpec], raw: Mapping[str, object]) -> None:
    for spec in specs.values():
        for other in spec.conflicts:
            if _is_set(raw.get(spec.name)) and _is_set(raw.get(other)):
                raise BadParam(f"{_flag(spec.name)} cannot be combined with {_flag(other)}.")


def _is_set(value: object) -> bool:
    return value is not None and value is not False


def _recorded(value: object) -> JsonValue:
    match value:
        case SecretReference():
            return value.reference
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_recorded(each) for each in value]
        case dict():
            return {str(key): _recorded(each) for key, each in value.items()}
        case _:
            return str(value)
