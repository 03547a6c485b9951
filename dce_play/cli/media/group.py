"""``dce-play media``: keep the bytes behind Discord's URLs, which expire. Each verb is imported when it is used."""

import importlib
from typing import Any

import click

_VERBS = {
    "fetch": "dce_play.cli.media.fetch:fetch",
    "retry": "dce_play.cli.media.fetch:retry",
    "verify": "dce_play.cli.media.look:verify",
    "status": "dce_play.cli.media.look:status",
    "gc": "dce_play.cli.media.look:gc",
    "export": "dce_play.cli.media.export:export",
}


class _Verbs(click.Group):
    """A group whose verbs are imported when they are used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _VERBS.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        found: Any = getattr(importlib.import_module(module), attribute)
        return found if isinstance(found, click.Command) else None


@click.group("media", cls=_Verbs)
def command() -> None:
    """Keep the bytes behind Discord's URLs: they expire within a day or so.

    A target says with media: attachments or media: all that it keeps them. They lie in .dce-media in its folder;
    the channel files stay as they are.
    """
