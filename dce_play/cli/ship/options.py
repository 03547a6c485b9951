"""What the verbs of shipping have in common: their options, their configuration, and JSON on one line."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from dce_play.transfer.sending.settings import ShipConfig, find_config, load_config

Verb = TypeVar("Verb", bound=Callable[..., Any])

CONFIG = click.option("--config", type=click.Path(path_type=Path), help="The ship.toml to use.")


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
