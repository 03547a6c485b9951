"""``dce-play backup``: take, verify, drill, restore and keep backups. A verb's module is imported when it is used."""

import click

from dce_play.cli.app.groups import Group

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


@click.group("backup", cls=Group, verbs=_VERBS)
def command() -> None:
    """Take a backup of one module before a change to it, and show that it restores.

    A person runs it: what takes a backup or changes a service refuses where nobody is there (exit 77). Nothing here
    applies anything, and a ready backup is not a permission to.

    BACKUP is a file name in backup_root, a path, MODULE@latest or MODULE@STAMP.

    \b
    Examples:
      dce-play backup run uptime-kuma --drill
      dce-play backup list

    Exit codes differ by command: see the help of each.
    """
