"""``dce-play ship`` and ``dce-play quarantine``: their verbs, each imported when it is used."""

import click

from dce_play.cli.app.groups import Group

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


@click.group("ship", cls=Group, verbs=_SHIP)
def command() -> None:
    """Ship episodes from this lab host to the receiver.

    Configured by ship.toml: --config, else DCE_SHIP_CONFIG, else /etc/dce-play/ship.toml.

    \b
    Examples:
      dce-play ship ping
      dce-play ship once --config ship.toml

    Exit codes of all verbs: 0 done; 1 something is left behind or wrong; 3 ship.toml is not valid; 4 folders,
    certificates or token cannot be used; 7 the receiver does not accept our token or certificate; 75 another shipper
    runs.
    """


@click.group("quarantine", cls=Group, verbs=_QUARANTINE)
def quarantine_command() -> None:
    """Look at what the receiver refused for good, send it again, or drop it.

    \b
    Examples:
      dce-play quarantine list
      dce-play quarantine requeue --reason commit_not_in_window

    Exit codes of all verbs: 0 done; 1 something was refused; 3 ship.toml is not valid; 5 no such name; 77 nobody to
    ask.
    """
