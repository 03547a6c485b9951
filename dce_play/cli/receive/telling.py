"""One report, told as JSON to programs or in words to people."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from dce_play.transfer.receiving.config import ReceiveConfig, find_config, read_config


def show(report: object, text: Callable[[], str], output_format: str) -> None:
    """Print a report: one JSON object on standard output, or the words."""
    if output_format == "json":
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        click.echo(text())


def settings_of(config: Path | None) -> ReceiveConfig:
    """Return the configuration that the option, the environment or the system names.

    Raises: NoConfig; InvalidDocument.
    """
    return read_config(find_config(config, os.environ))
