"""``dce-play media export``: one channel with its media, in DiscordChatExporter's own layout."""

from pathlib import Path

import click

from dce_play.cli.app.verb import EXISTING_FILE, format_option, tell
from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.media.exported import export_media
from dce_play.errors import ExitCode
from dce_play.system.counted import counted


@click.command(short_help="Write a channel file with its media as DiscordChatExporter does.")
@click.argument("channel_file", type=EXISTING_FILE)
@click.argument("outdir", type=click.Path(file_okay=False, path_type=Path))
@format_option
def export(channel_file: Path, outdir: Path, *, output_format: str) -> int:
    """Write CHANNEL_FILE into OUTDIR, and beside it <name>_Files with the media that are kept. Asks nobody.

    URLs whose bytes are kept become paths; the others stay. CHANNEL_FILE itself stays as it is.

    \b
    Example:
      dce-play media export "Guild - room [123456789012345678].json" ~/reading

    Exit 0: written. Exit 1: failed, or some kept files are lost from the store or changed; their URLs stay.
    """
    done = export_media(channel_file.absolute(), outdir.absolute())
    line = f"exported {shown(done.path)}: {counted(done.files, 'file')}, {counted(done.replaced, 'URL')} replaced"
    lines = [line]
    if done.lost:
        lines.append(f"! {counted(done.lost, 'kept file')} lost or changed; see which: dce-play media verify --deep")
    facts = {"path": shown(done.path), "files": done.files, "replaced": done.replaced, "lost": done.lost}
    tell(output_format, lines, facts)
    return ExitCode.FAILED if done.lost else ExitCode.OK
