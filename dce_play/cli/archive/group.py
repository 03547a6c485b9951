"""``dce-play archive``: the verbs on channel files. Each lives in a module that is imported when it is used."""

import importlib
from typing import Any

import click

_VERBS = {
    "audit": "dce_play.cli.archive.audit:audit",
    "cursor": "dce_play.cli.archive.cursor:cursor",
    "stats": "dce_play.cli.archive.read:stats",
    "cat": "dce_play.cli.archive.read:cat",
    "append": "dce_play.cli.archive.append:append_verb",
    "merge": "dce_play.cli.archive.merge:merge_verb",
    "normalise": "dce_play.cli.archive.normalise:normalise_verb",
    "recover": "dce_play.cli.archive.recover:recover_verb",
    "salvage": "dce_play.cli.archive.salvage:salvage",
    "adopt": "dce_play.cli.archive.adopt:adopt",
    "snapshot": "dce_play.cli.archive.proof:snapshot",
    "prove": "dce_play.cli.archive.proof:prove",
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


@click.group("archive", cls=_Verbs)
def command() -> None:
    """Audit, merge, salvage and read channel files.

    Verbs that write take the archive's lock: that of the outermost folder above the file that has one, else of the
    nearest folder with our records, else of the file's own folder; --root names another. None of them makes a request.

    Exit codes of all verbs: 0 done or clean; 1 failed, or there are findings; 2 wrong call; 4 the lock
    file cannot be used, as in a folder that is read-only; 75 the archive is locked.
    """
