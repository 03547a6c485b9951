"""``dce-play media``: keep the bytes behind Discord's URLs, which expire. Each verb is imported when it is used."""

import click

from dce_play.cli.app.groups import Group

_VERBS = {
    "fetch": "dce_play.cli.media.fetch:fetch",
    "retry": "dce_play.cli.media.fetch:retry",
    "verify": "dce_play.cli.media.look:verify",
    "status": "dce_play.cli.media.look:status",
    "gc": "dce_play.cli.media.look:gc",
    "export": "dce_play.cli.media.export:export",
}


@click.group("media", cls=Group, verbs=_VERBS)
def command() -> None:
    """Keep the bytes behind Discord's URLs: they expire within a day or so.

    A target says with media: attachments or media: all that it keeps them. They lie in .dce-media in its folder;
    the channel files stay as they are.

    \b
    Examples:
      dce-play media fetch my-server
      dce-play media status

    Exit codes of all verbs: 0 done or sound; 1 failed, or there are findings; 2 wrong call; 3 the targets file is not
    valid; 5 no such target; 8 media are missing, with --strict; 75 the archive is locked.
    """
