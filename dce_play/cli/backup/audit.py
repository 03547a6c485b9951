"""``dce-play backup audit`` and ``classes``: which modules hold state, and how each would be backed up."""

from typing import Any

import click

from dce_play.backup.definitions.classes import classify
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.keep.audit import NOT_READY, AuditRow, audit, overdue
from dce_play.cli.app.verb import DURATION
from dce_play.cli.backup.office import Answer, Office, Verb, common_options
from dce_play.errors import ExitCode
from dce_play.system.cells import aligned
from dce_play.system.counted import counted
from dce_play.system.quantities import show_duration


@click.command("audit", cls=Verb)
@click.option("--max-age", type=DURATION, metavar="TIME", help="Exit 1 for an active module without a younger backup.")
@click.option("--strict", is_flag=True, help="Exit 8 when an active module is not ready.")
@common_options
def audit_modules(max_age: float | None, *, strict: bool, **options: Any) -> int:
    """List the stateful modules: class, whether a backup of each is ready to be taken, the last one, where to begin.

    It tells of backups only: ready is no permission to apply anything. Contacts no service, changes nothing.

    \b
    Example:
      dce-play backup audit --max-age 7d --strict

    Exit codes: 0 told; 1 a module cannot be read; 8 one is not ready, with --strict.
    """
    office = Office("audit", options)

    def act() -> Answer:
        rows, summary = audit(office.desk.definitions.modules, office.desk.catalog(), now=office.desk.now)
        late = overdue(rows, max_age_s=max_age) if max_age is not None else ()
        lines = aligned([_cells(row) for row in rows])
        sums = ", ".join(f"{name}: {count}" for name, count in summary.by_class.items())
        lines.append(
            f"{summary.stateful} stateful, {summary.ready} ready, {summary.excluded} excluded; {sums or 'no class'}"
        )
        error = None
        if late:
            names = ", ".join(row.module for row in late[:10])
            error = BackupError(
                ErrorId.NOT_FOUND,
                f"{counted(len(late), 'active module')} without a backup younger than "
                f"{show_duration(max_age or 0.0)}: {names}",
                hint=f"dce-play backup run {late[0].module}",
                exit_code=ExitCode.FAILED,
            )
        unready = strict and any(row.readiness == NOT_READY for row in rows)
        code = ExitCode.SKIPS if unready else ExitCode.OK
        return Answer(facts={"modules": rows, "summary": summary}, lines=lines, code=code, error=error)

    return office.answer(act, watched=True)


@click.command("classes", cls=Verb)
@click.argument("name", required=False)
@common_options
def classes(name: str | None, **options: Any) -> int:
    """Print the class table, or the class of any NAME, defined or not.

    \b
    Example:
      dce-play backup classes uptime-kuma

    Exit codes: 0 told; 3 the class table is not valid.
    """
    office = Office("classes", options)

    def act() -> Answer:
        if name is None:
            rows = [
                {
                    "order": row.order,
                    "class": row.name,
                    "engine": row.engine,
                    "match": row.match,
                    "procedure": row.procedure,
                    "source": row.source,
                }
                for row in office.desk.rows
            ]
            cells = [
                (str(row.order), row.name, row.engine, ", ".join(row.match), row.procedure) for row in office.desk.rows
            ]
            return Answer(facts={"classes": rows}, lines=aligned(cells, right={0}))
        module = office.desk.definitions.named(name)
        own = module.keys.own_class if module is not None else ""
        engine = module.keys.engine if module is not None else ""
        found = classify(name, office.desk.rows, own_class=own, engine=engine)
        facts = {"module": name, "class": found.name, "engine": found.engine, "matched": found.matched}
        return Answer(facts=facts, lines=[f"{name}  class {found.name}  engine {found.engine}  by {found.matched}"])

    return office.answer(act, watched=True)


def _cells(row: AuditRow) -> tuple[str, ...]:
    last = "no backup"
    if row.last_backup is not None:
        last = f"{show_duration(row.last_backup.age_s)} old, level {row.last_backup.level}"
    why = "first candidate" if row.first_candidate else ", ".join(row.reasons)
    return row.module, f"class {row.class_name}", row.engine, row.readiness, last, why
