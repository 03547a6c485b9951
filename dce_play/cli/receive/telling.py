"""One report, told as JSON to programs or in words to people."""

import sys
from collections.abc import Callable

import click
import msgspec


def show(report: object, text: Callable[[], str], output_format: str) -> None:
    """Print a report: one JSON object on standard output, or the words."""
    if output_format == "json":
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        click.echo(text())
