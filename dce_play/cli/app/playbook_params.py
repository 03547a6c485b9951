"""A playbook's params on the command line: which options they become, and the texts that were given."""

import json
from collections.abc import Iterable, Mapping

import click

from dce_play.playbook.language.model import ParamSpec, ParamType
from dce_play.playbook.load.params import option_name
from dce_play.source import JsonValue

PREFIX = "param_"
"""Before a param's name among click's, so that a param may be called like an option of ours."""


def param_options(specs: Iterable[ParamSpec], taken: set[str], /) -> list[click.Option]:
    """Return one option a param; those whose name is ``taken`` by an option of ``run`` are set by ``-e`` only."""
    return [_option(spec) for spec in specs if option_name(spec.name) not in taken]


def _option(spec: ParamSpec) -> click.Option:
    flag = option_name(spec.name)
    text = spec.help + _facts(spec)
    if spec.type is ParamType.BOOL:
        names = [PREFIX + spec.name, f"{flag}/--no-{flag.removeprefix('--')}"]
        return click.Option(names, default=None, help=text)
    kind: click.ParamType[str] = click.STRING
    if spec.choices:
        kind = click.Choice([str(each) for each in spec.choices])
    elif spec.type is ParamType.PATH:
        kind = click.Path()
    metavar = None if spec.choices else spec.type.upper()
    return click.Option(
        [PREFIX + spec.name, flag], type=kind, multiple=spec.type is ParamType.LIST, metavar=metavar, help=text
    )


def _facts(spec: ParamSpec) -> str:
    facts = []
    if spec.required:
        facts.append("required")
    elif spec.default:
        facts.append(f"default: {spec.default}")
    if spec.env:
        facts.append(f"env: {spec.env}")
    return f"  [{'; '.join(facts)}]" if facts else ""


def given_params(options: Mapping[str, object], /) -> dict[str, JsonValue]:
    """Return the playbook's params among parsed options: only those that were given."""
    given: dict[str, JsonValue] = {}
    for name, value in options.items():
        if name.startswith(PREFIX) and value is not None and value != ():
            given[name.removeprefix(PREFIX)] = list(value) if isinstance(value, tuple) else _scalar(value)
    return given


def _scalar(value: object) -> JsonValue:
    return value if isinstance(value, bool) else str(value)


def as_texts(given: Mapping[str, JsonValue], /) -> dict[str, str]:
    """Return each given param as the text of one option; several values of a list are one JSON text."""
    texts: dict[str, str] = {}
    for name, value in given.items():
        match value:
            case bool():
                texts[name] = "true" if value else "false"
            case [only]:
                texts[name] = str(only)
            case list():
                texts[name] = json.dumps(value)
            case _:
                texts[name] = str(value)
    return texts
