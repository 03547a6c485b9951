"""``dce-play backup``: take, verify, drill, restore and keep backups. A verb's module is imported when it is used."""

import importlib
from typing import Any

import click

_VERBS = {
    "run": "dce_play.cli.backup.run:run",
    "list": "dce_play.cli.backup.look:list_backups",
    "show": "dce_play.cli.backup.look:show",
    "verify": "dce_play.cli.backup.verify:verify",
    "drill": "dce_play.cli.backup.drill:drill",
    "restore": "dce_play.cli.backup.restore:restore",
    "require": "dce_play.cli.backup.keep:require_backup",
    "prune": "dce_play.cli.backup.prune:prune",
    "audit": "dce_play.cli.backup.audit:audit_modules",
    "classes": "dce_play.cli.backup.audit:classes",
    "recover": "dce_play.cli.backup.keep:recover_runs",
    "cat": "dce_play.cli.backup.cat:cat",
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


@click.group("backup", cls=_Verbs)
def command() -> None:
    """Take a backup of one module before a change to it, and show that it restores.

    A person runs it: what takes a backup or changes a service refuses where nobody is there (exit 77). Nothing here
    applies anything, and a ready backup is not a permission to.

    BACKUP is a file name in backup_root, a path, MODULE@latest or MODULE@STAMP.
    """
