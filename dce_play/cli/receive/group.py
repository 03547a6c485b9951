"""``dce-play receive``: run the receiver, and look after what it has stored."""

import os
from pathlib import Path

import click

from dce_play.cli.app.groups import Group
from dce_play.cli.app.verb import format_option, silent_format_option
from dce_play.errors import ExitCode

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="receive.toml; default: DCE_RECEIVE_CONFIG, else /etc/dce-play/receive.toml.",
)


@click.group("receive", cls=Group)
def command() -> None:
    """Receive episodes from lab hosts, and look after them.

    Example: dce-play receive token add lab-1; dce-play receive run

    Exit codes differ by command: see the help of each.
    """


@command.command()
@CONFIG
@silent_format_option
def run(config: Path | None) -> int:
    """Serve until SIGTERM or SIGINT; running uploads get [limits].drain_s to end.

    \b
    Example:
      dce-play receive run --config /etc/dce-play/receive.toml

    Exit 0: told to stop. Exit 3: the configuration is not valid. Exit 4: the store, the address or a file of TLS
    cannot be used. Exit 75: another receiver has the store.
    """
    from dce_play.services.receiver.run import run_receiver  # 300 ms of HTTP and TLS that no other verb needs
    from dce_play.transfer.receiving.config import find_config, read_config

    environment = dict(os.environ)
    run_receiver(read_config(find_config(config, environment)), environment)
    return ExitCode.OK


@command.command()
@CONFIG
@format_option
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
def backfill(config: Path | None, output_format: str, *, dry_run: bool) -> int:
    """List in the index what is stored and not listed; write receipts that are lost. Safe beside the receiver.

    \b
    Example:
      dce-play receive backfill --dry-run

    Exit 0: all is well now. Exit 1: files are missing, lines are bad or repeated, archives are broken.
    """
    from dce_play.cli.receive.looking_after import backfilled

    return backfilled(config, output_format, dry_run=dry_run)


@command.command()
@CONFIG
@format_option
@click.option("--deep", is_flag=True, help="Read every archive from end to end.")
def verify(config: Path | None, output_format: str, *, deep: bool) -> int:
    """Compare every stored archive with its receipt.

    \b
    Example:
      dce-play receive verify --deep

    Exit 0: all are what their receipts say. Exit 1: some are not.
    """
    from dce_play.cli.receive.looking_after import verified

    return verified(config, output_format, deep=deep)


@command.command()
@CONFIG
@format_option
def status(config: Path | None, output_format: str) -> int:
    """Tell what the receiver tells at /status.json; from the store's files when it does not run.

    \b
    Example:
      dce-play receive status --format json

    Exit 0: told. Exit 1: a file of the store cannot be read. Exit 3: the configuration is not valid.
    """
    from dce_play.cli.receive.status import status_told

    return status_told(config, output_format)


@command.group("index", cls=Group)
def index_group() -> None:
    """The list of what is stored.

    \b
    Example:
      dce-play receive index export

    Exit 0: told. Exit 3: the configuration is not valid.
    """


@index_group.command("export")
@CONFIG
def export(config: Path | None) -> int:
    """Write the index to standard output, a line an episode, as index.jsonl has it.

    \b
    Example:
      dce-play receive index export | wc -l

    Exit 0: told. Exit 3: the configuration is not valid.
    """
    from dce_play.cli.receive.looking_after import exported

    return exported(config)


@command.group("token", cls=Group)
def token_group() -> None:
    """The tokens with which hosts may send.

    \b
    Example:
      dce-play receive token list

    Exit codes differ by command: see the help of each.
    """


@token_group.command("add")
@click.argument("host")
@CONFIG
@format_option
@click.option("--role", type=click.Choice(["ship", "monitor"]), default="ship", show_default=True)
@click.option("--expires", metavar="DATE", help="The token's end, such as 2027-06-30.")
def token_add(host: str, config: Path | None, output_format: str, *, role: str, expires: str | None) -> int:
    """Make a token for one host. It is told once and kept only as a hash.

    \b
    Example:
      dce-play receive token add lab-1 --expires 90d

    Exit 0: made. Exit 1: it cannot be kept. Exit 3: the configuration is not valid.
    """
    from dce_play.cli.receive.tokens import added

    return added(host, config, output_format, role=role, expires=expires)


@token_group.command("list")
@CONFIG
@format_option
def token_list(config: Path | None, output_format: str) -> int:
    """List the tokens, without their secrets.

    \b
    Example:
      dce-play receive token list --format json

    Exit 0: told. Exit 3: the configuration is not valid.
    """
    from dce_play.cli.receive.tokens import listed

    return listed(config, output_format)


@token_group.command("revoke")
@click.argument("token_id")
@CONFIG
@format_option
def token_revoke(token_id: str, config: Path | None, output_format: str) -> int:
    """Make a token worthless within five seconds.

    \b
    Example:
      dce-play receive token revoke TOKEN_ID

    Exit 5: there is no such token.
    """
    from dce_play.cli.receive.tokens import revoked

    return revoked(token_id, config, output_format)
