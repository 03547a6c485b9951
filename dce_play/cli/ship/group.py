"""``dce-play ship`` and ``dce-play quarantine``: their verbs, each imported when it is used."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

_SHIP = {
    "run": "dce_play.cli.ship.sending:run",
    "once": "dce_play.cli.ship.sending:once",
    "ping": "dce_play.cli.ship.looking:ping_verb",
    "status": "dce_play.cli.ship.looking:status",
    "drain": "dce_play.cli.ship.draining:drain_verb",
}
_QUARANTINE = {
    "list": "dce_play.cli.ship.quarantine:list_verb",
    "show": "dce_play.cli.ship.quarantine:show_verb",
    "requeue": "dce_play.cli.ship.quarantine:requeue_verb",
    "drop": "dce_play.cli.ship.quarantine:drop_verb",
}


class _Verbs(click.Group):
    """A group whose verbs are imported when they are used."""

    verbs: Mapping[str, str] = {}

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self.verbs)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self.verbs.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        found: Any = getattr(importlib.import_module(module), attribute)
        return found if isinstance(found, click.Command) else None


class _ShipVerbs(_Verbs):
    verbs = _SHIP


class _QuarantineVerbs(_Verbs):
    verbs = _QUARANTINE


@click.group("ship", cls=_ShipVerbs)
def command() -> None:
    """Ship episodes from this lab host to the receiver.

    Configured by ship.toml: --config, else DCE_SHIP_CONFIG, else /etc/dce-play/ship.toml.

    Exit codes of all verbs: 0 done; 1 something is left behind or wrong; 3 ship.toml is not valid; 4 folders,
    certificates or token cannot be used; 7 the receiver does not accept our token or certificate; 75 another shipper
    runs.
    """


@click.group("quarantine", cls=_QuarantineVerbs)
def quarantine_command() -> None:
    """Look at what the receiver refused for good, send it again, or drop it.

    Exit codes of all verbs: 0 done; 1 something was refused; 3 ship.toml is not valid; 5 no such name; 77 nobody to
    ask.
    """
