"""``dce-play version``: everything a bug report needs."""

import platform
from importlib import metadata

import click

from dce_play import __version__

_PACKAGES = ("click", "httpx2", "invoke", "jinja2", "jsonschema", "psutil", "pysimdjson", "rich", "ruamel.yaml")


@click.command(
    short_help="Tell the versions of dce-play, Python and the packages that matter.",
    help="""Tell the versions of dce-play, Python and the packages that matter: what a report of a bug begins with.

    \b
    Example:
      dce-play version

    Exit 0: told.
    """,
)
def command() -> None:
    """Print one ``name version`` line each."""
    click.echo(f"dce-play {__version__}")
    click.echo(f"python {platform.python_version()} ({platform.platform()})")
    for package in _PACKAGES:
        try:
            click.echo(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            click.echo(f"{package} missing")
