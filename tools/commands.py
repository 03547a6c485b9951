"""All commands of dce-play, walked as click knows them."""

from collections.abc import Iterator

import click

from dce_play.cli.app.main import root


def contexts() -> Iterator[click.Context]:
    """Yield a context of every command, the top one first, each group before what is in it."""
    yield from _below(click.Context(root, info_name="dce-play", max_content_width=100))


def _below(context: click.Context) -> Iterator[click.Context]:
    yield context
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            if found is not None:
                yield from _below(click.Context(found, info_name=name, parent=context, max_content_width=100))
