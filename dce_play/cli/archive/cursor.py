"""``dce-play archive cursor``: the greatest message id of a channel file, for scripts that export what is newer."""

from pathlib import Path

import click

from dce_play.cli.app.verb import EXISTING_FILE, format_option, tell
from dce_play.discord.archive.folder.places import layout_of
from dce_play.discord.archive.records.cursor import read_cursor
from dce_play.errors import ExitCode


@click.command(short_help="Print the greatest message id of a channel file.")
@click.argument("file", type=EXISTING_FILE)
@format_option
def cursor(file: Path, *, output_format: str) -> int:
    """Print the greatest message id of a channel file; nothing for one without messages.

    Costs the same for every size when we recorded the file, else one reading. Changes nothing and takes no lock.

    \b
    Example:
      dce-play export 123456789012345678 --output new.json --after "$(dce-play archive cursor room.json)"

    Exit 0: told. Exit 1: the file cannot be read.
    """
    file = file.absolute()
    found = read_cursor(file, layout=layout_of(file))
    facts = {
        "path": str(file),
        "channel_id": found.channel_id,
        "last_id": found.last_id,
        "message_count": found.message_count,
        "ordered": found.ordered,
    }
    tell(output_format, [found.last_id] if found.last_id else [], facts)
    return ExitCode.OK
