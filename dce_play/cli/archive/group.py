"""``dce-play archive``: the verbs on channel files. Each lives in a module that is imported when it is used."""

import click

from dce_play.cli.app.groups import Group

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


@click.group("archive", cls=Group, verbs=_VERBS)
def command() -> None:
    """Audit, merge, salvage and read channel files.

    Verbs that write take the archive's lock: that of the outermost folder above the file that has one, else of the
    nearest folder with our records, else of the file's own folder; --root names another. None of them makes a request.

    \b
    Examples:
      dce-play archive audit ~/archive
      dce-play archive cursor "Guild - room [123456789012345678].json"

    Exit codes of all verbs: 0 done or clean; 1 failed, or there are findings; 2 wrong call; 4 the lock
    file cannot be used, as in a folder that is read-only; 75 the archive is locked.
    """
