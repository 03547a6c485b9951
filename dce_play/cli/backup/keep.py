"""``dce-play backup require`` and ``recover``: what an apply demands, and tidying up after runs that died."""

from typing import Any

import click

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.keep.recover import recover
from dce_play.backup.keep.require import require
from dce_play.cli.app.verb import DURATION
from dce_play.cli.backup.doors import services_of
from dce_play.cli.backup.office import Answer, Office, Verb, common_options, split_words
from dce_play.errors import ExitCode
from dce_play.system.quantities import show_duration


@click.command("require", cls=Verb)
@click.argument("module", metavar="MODULE")
@click.option("--max-age", type=DURATION, default="1h", show_default=True, metavar="TIME", help="How old at most.")
@click.option("--min-level", type=click.IntRange(0, 3), default=2, show_default=True, help="Verified at least so far.")
@click.option("--consistency", multiple=True, callback=split_words, metavar="LIST", help="One of these; default: any.")
@common_options
def require_backup(module: str, **options: Any) -> int:
    """Tell whether there is a fresh verified backup of MODULE. What an apply asks first; it takes none itself.

    \b
    Example:
      dce-play backup require uptime-kuma --max-age 24h

    Exit codes: 0 there is; 4 there is none; 5 no such module.
    """
    office = Office("require", options)

    def act() -> Answer:
        catalog = office.desk.catalog()
        office.desk.known((module,), catalog)
        found = require(
            module,
            catalog,
            now=office.desk.now,
            max_age_s=options["max_age"],
            min_level=options["min_level"],
            consistency=options["consistency"],
        )
        if found.file is None:
            error = BackupError(ErrorId.NOT_FOUND, found.reason, hint=found.hint, exit_code=ExitCode.PREFLIGHT)
            return Answer(facts={"reason": found.reason, "hint": office.desk.in_words(found.hint)}, error=error)
        age = show_duration(found.age_s or 0.0)
        return Answer(
            facts={"file": found.file, "age_s": round(found.age_s or 0.0, 3), "level": found.level},
            lines=[f"{found.file}: {age} old, verified at level {found.level}"],
        )

    return office.answer(act)


@click.command("recover", cls=Verb)
@click.option("--restored", metavar="MODULE", default="", help="You have seen that it is whole: forget its restore.")
@common_options
def recover_runs(restored: str, **options: Any) -> int:
    """Undo what runs of ours left that died: services still held, roots half swapped, files that are no backup.

    \b
    Example:
      dce-play backup recover

    Exit codes: 0 nothing is left; 1 something could not be undone.
    """
    office = Office("recover", options)

    def act() -> Answer:
        found = recover(office.desk.root, services_of(office), restored=restored)
        lines = [f"{each.module}: {each.what}" for each in found.undone]
        lines += [f"removed {path}" for path in found.removed]
        facts = {"undone": found.undone, "removed": found.removed}
        error = None
        if found.failures:
            first = found.failures[0]
            error = BackupError(first.error_id, str(first), hint=first.hint, exit_code=ExitCode.FAILED)
        return Answer(facts=facts, lines=lines or ["nothing to recover"], error=error)

    return office.answer(act)
