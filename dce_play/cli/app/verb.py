"""What verbs share: options, the lock, and telling how far a long one is."""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from dce_play.system.quantities import parse_duration

_Verb = TypeVar("_Verb", bound=Callable[..., Any])
_SILENT_S = 2.0
_PAUSE_S = 1.0

EXISTING = click.Path(exists=True, path_type=Path)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
ANY_FILE = click.Path(dir_okay=False, path_type=Path)


_LONGEST_S = 36_525 * 86_400.0
"""What is longer reaches back to before there were dates."""


class DurationType(click.ParamType[float]):
    """``90s``, ``10m``, ``12h``, ``2d`` or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, int | float):
            return float(value)
        try:
            seconds = parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if seconds > _LONGEST_S:
            self.fail(f"{value} is longer than a century", param, ctx)
        return seconds


DURATION = DurationType()


def format_option(verb: _Verb) -> _Verb:
    """Add ``--format``."""
    return click.option(
        "--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True
    )(verb)


def silent_format_option(verb: _Verb) -> _Verb:
    """Add a ``--format`` that changes nothing, to a verb that says nothing on standard output."""
    return click.option(
        "--format",
        type=click.Choice(["text", "json"]),
        expose_value=False,
        help="For all verbs alike; this one says nothing on standard output.",
    )(verb)


def lock_wait_option(verb: _Verb) -> _Verb:
    """Add ``--lock-wait``."""
    return click.option(
        "--lock-wait",
        "lock_wait_s",
        type=DURATION,
        metavar="TIME",
        default="0s",
        show_default=True,
        help="How long to wait for the lock, such as 10m.",
    )(verb)


def writing_options(verb: _Verb) -> _Verb:
    """Add ``--dry-run``, ``--root`` and ``--lock-wait``."""
    verb = lock_wait_option(verb)
    verb = click.option("--root", type=EXISTING_FOLDER, help="The folder whose lock guards the files.")(verb)
    return click.option("--dry-run", is_flag=True, help="Tell what would be done; change nothing, lock nothing.")(verb)


def new_run_id() -> str:
    """Return the id under which a verb's writes are recorded."""
    return f"verb-{uuid.uuid4().hex[:12]}"


def tell(output_format: str, lines: Iterable[str], facts: Mapping[str, object]) -> None:
    """Print what was done: lines for people and scripts, or one JSON object on one line."""
    if output_format == "json":
        click.echo(json.dumps(facts))
        return
    for line in lines:
        click.echo(line)


def complain(line: str) -> None:
    """Print one line on standard error."""
    click.echo(line, err=True)


class LateProgress:
    """Tells on standard error how far a verb is, from its third second on, once a second."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = self._told = time.monotonic()

    def __call__(self, done: float, total: float | None, unit: str, /) -> None:
        now = time.monotonic()
        if now - self._began < _SILENT_S or now - self._told < _PAUSE_S:
            return
        self._told = now
        share = f" of {_amount(total, unit)} ({100 * done / total:.0f} %)" if total else ""
        click.echo(f"{self._what}: {_amount(done, unit)}{share}", err=True)


def _amount(number: float, unit: str) -> str:
    return f"{number / (1 << 20):,.0f} MiB" if unit == "bytes" else f"{number:,.0f} {unit}"
