"""``dce-play auth``: where the Discord token comes from, and how to put one in place."""

import json
import os
import sys
from pathlib import Path

import click

from dce_play.cli.app.groups import Group
from dce_play.cli.app.verb import format_option
from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.auth.discovery import FoundToken, NoToken, Places, discover_token, gui_token, places
from dce_play.discord.auth.env_file import write_env_values
from dce_play.discord.auth.git_ignore import keep_out_of_git
from dce_play.discord.auth.token_file import check_token, read_token_file
from dce_play.errors import DcePlayError, ExitCode, UsageError

_TERMS = (
    "Automating a user account is against Discord's terms of service. "
    "Use a bot token where you can; it must be in the guilds it reads."
)


@click.group("auth", cls=Group)
def command() -> None:
    """Find, set and renew the Discord token.

    Looked for in this order: DISCORD_TOKEN_FILE and DISCORD_TOKEN of the environment, the same two in the env file
    (scrape.env, or DCE_ENV_FILE), .discord-token, ~/.config/discord-scrape/token, ~/.config/discord-token, the
    keyring, and the settings of DiscordChatExporter's desktop program.

    Automating a user account is against Discord's terms of service: use a bot token where you can.

    \b
    Examples:
      dce-play auth set
      dce-play auth check

    Exit codes of all: 0 done; 1 failed; 2 wrong call; 7 no token, or one that Discord refuses.
    """


@command.command()
@format_option
def status(output_format: str) -> int:
    """Tell where a token is found, never what it is. Asks nobody: a found token may still be refused by Discord.

    \b
    Example:
      dce-play auth status

    Exit 0: found. Exit 7: none, or a broken source.
    """
    where = _here()
    try:
        found = discover_token(where)
    except DcePlayError as error:
        notes = error.notes if isinstance(error, NoToken) else ()
        if output_format == "json":
            facts = {"found": False, "source": None, "warnings": list(notes), "error": str(error), "hint": error.hint}
            click.echo(json.dumps(facts))
            return ExitCode.AUTHENTICATION
        raise
    if output_format == "json":
        click.echo(json.dumps({"found": True, "source": found.source, "warnings": list(found.warnings)}))
        return ExitCode.OK
    click.echo(f"token: found, from {found.source}")
    _tell_warnings(found)
    return ExitCode.OK


@command.command()
@format_option
def check(output_format: str) -> int:
    """Ask Discord whether it takes the token: its guilds, and one channel of each enabled target. Writes nothing.

    \b
    Example:
      dce-play auth check

    Exit 0: it does. Exit 7: it does not, or there is none. Exit 1: Discord does not answer, or not as Discord; or the
    token does not see a target's guild, or reads none of its channels.
    """
    from dce_play.cli.host.auth_check import check as ask  # the exporter takes a while to import

    return ask(output_format)


@command.command("set")
@click.option("--env-file", type=click.Path(path_type=Path), help="The env file to write; default: scrape.env.")
@click.option("--token-file", type=click.Path(path_type=Path), help="Point at this file instead of storing the token.")
@click.option("--from-environment", is_flag=True, help="Store the DISCORD_TOKEN of the environment.")
@click.option("--force", is_flag=True, help="Replace a token that is there; every other line stays.")
def set_token(env_file: Path | None, token_file: Path | None, *, from_environment: bool, force: bool) -> int:
    """Put a token into the env file (mode 600). Asks for it without showing it; it never goes on a command line.

    Example: dce-play auth set --token-file /run/secrets/discord

    Exit 0: stored. Exit 1: the file cannot be written. Exit 2: no token was given, or it is there already.
    """
    where = _here()
    path = (env_file or where.env_file).absolute()
    if path.exists() and not force:
        raise UsageError(f"{path} already exists", hint="use --force to replace the token in it")
    if token_file is not None:
        check_token(read_token_file(token_file), str(token_file))
        values = {"DISCORD_TOKEN_FILE": str(token_file.absolute())}
    else:
        values = {"DISCORD_TOKEN": check_token(_ask(where, from_environment=from_environment), "the token given")}
    write_env_values(path, values)
    click.echo(f"Created {path} (mode 600).")
    _keep_out_of_git(path)
    click.echo(_TERMS, err=True)
    return ExitCode.OK


@command.command("sync-gui")
@click.option("--env-file", type=click.Path(path_type=Path), help="The env file to write; default: scrape.env.")
def sync_gui(env_file: Path | None) -> int:
    """Copy the token of DiscordChatExporter's desktop program into the env file, whatever else there is.

    \b
    Example:
      dce-play auth sync-gui

    Exit 0: copied. Exit 7: there is none to copy.
    """
    where = _here()
    found = gui_token(where)
    path = (env_file or where.env_file).absolute()
    write_env_values(path, {"DISCORD_TOKEN": found.token})
    click.echo(f"Updated {path} from {found.source}.")
    _keep_out_of_git(path)
    _tell_warnings(found)
    click.echo(_TERMS, err=True)
    return ExitCode.OK


def _here() -> Places:
    return places(os.environ, working_folder())


def _ask(where: Places, *, from_environment: bool) -> str:
    if from_environment:
        return where.environment.get("DISCORD_TOKEN", "").strip() or _refuse("DISCORD_TOKEN is not set")
    if sys.stdin.isatty():
        return str(click.prompt("Discord token", hide_input=True)).strip()
    return sys.stdin.readline().strip() or _refuse("no token on standard input")


def _keep_out_of_git(path: Path) -> None:
    if keep_out_of_git(path):
        click.echo(f"Added {path.name} to {path.parent / '.gitignore'}: this is a Git repository.")


def _refuse(reason: str) -> str:
    raise UsageError(reason, hint="type it at the prompt, pipe it in, or name a file with --token-file")


def _tell_warnings(found: FoundToken) -> None:
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
