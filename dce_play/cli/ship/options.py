"""What the verbs of shipping have in common: their options, their configuration, and JSON on one line."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from dce_play.system.quantities import parse_duration
from dce_play.transfer.sending.settings import ShipConfig, find_config, load_config

Verb = TypeVar("Verb", bound=Callable[..., Any])

CONFIG = click.option("--config", type=click.Path(path_type=Path), help="The ship.toml to use.")
FORMAT = click.option(
    "--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True
)
NO_OUTPUT_FORMAT = click.option(
    "--format",
    type=click.Choice(["text", "json"]),
    expose_value=False,
    help="For all verbs alike; this one says nothing on standard output.",
)


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic only in newer releases than we need
    """A duration such as ``90s``, ``10m`` or ``2d``, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def config_from(given: Path | None) -> ShipConfig:
    """Return the configuration that the option, the environment or the system names.

    Raises: NoConfig; InvalidDocument.
    """
    return load_config(find_config(given, os.environ))


def show(record: msgspec.Struct | Mapping[str, Any], output_format: str, lines: list[str]) -> None:
    """Print a result: one JSON object on one line, and the people's lines on standard error; or those alone."""
    if output_format == "json":
        click.echo(msgspec.json.encode(record).decode("utf-8"))
    for line in lines:
        click.echo(line, err=output_format == "json")


def is_terminal() -> bool:
    """Return whether there is somebody to ask."""
    return sys.stdin is not None and sys.stdin.isatty()
