"""Groups of commands, each of which is imported when it is used."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class Group(click.Group):
    """A group of ours. ``verbs`` are commands by name as ``module:attribute``, besides those defined in place."""

    def __init__(self, *args: Any, verbs: Mapping[str, str] | None = None, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.verbs = verbs or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *self.verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self.verbs.get(cmd_name)
        return super().get_command(ctx, cmd_name) if place is None else _at(place)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            from dce_play.source import did_you_mean  # start-up time: most names are known

            hint = did_you_mean(name, self.list_commands(ctx))
            raise click.UsageError(f'no command "{name}"; {hint}', ctx)
        return super().resolve_command(ctx, args)


def _at(place: str) -> click.Command:
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, click.Command):
        raise TypeError(f"{place} is not a command")
    return found
