"""``dce-play backup drill``: restore a backup into a throw-away engine and count."""

import time
from pathlib import Path
from typing import Any

import click

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Drilled
from dce_play.backup.protocols import DrillOptions
from dce_play.backup.restore.drill import drill_entry
from dce_play.cli.backup.doors import services_of
from dce_play.cli.backup.office import Answer, Office, Verb, common_options


@click.command("drill", cls=Verb)
@click.argument("backup", metavar="BACKUP")
@click.option("--identity", metavar="REF", help="The key of an encrypted one: env:NAME, file:PATH or keyring:NAME.")
@click.option(
    "--drill-dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the throw-away engine lives; default: TMPDIR.",
)
@click.option("--keep", is_flag=True, help="Leave it there, and say where.")
@click.option("--unseal", metavar="REF", help="The original unseal key (class C).")
@common_options
def drill(backup: str, **options: Any) -> int:
    """Restore BACKUP into a throw-away engine, count what came of it, and compare. Never touches the live service.

    \b
    Example:
      dce-play backup drill uptime-kuma@latest

    Exit codes: 0 everything is there; 1 something is not; 4 the engine's programs are not there; 5 no such backup.
    """
    office = Office("drill", options)

    def act() -> Answer:
        entry = office.desk.entry(backup)
        wanted = DrillOptions(folder=options["drill_dir"], keep=options["keep"], unseal=options["unseal"])
        begun = time.monotonic()
        drilled = drill_entry(entry, services_of(office), wanted, identity=options["identity"])
        facts = {
            "file": entry.file,
            "engine": {"name": drilled.engine.name, "version": drilled.engine.server_version},
            "expected": drilled.expected,
            "restored": drilled.restored,
            "differences": drilled.differences,
            "duration_s": round(time.monotonic() - begun, 3),
            "level": drilled.level,
            **({"kept": drilled.kept} if drilled.kept else {}),
        }
        error = None
        if drilled.differences:
            first = drilled.differences[0]
            error = BackupError(
                ErrorId.VERIFY_FAILED,
                f"{entry.file} restores something else: {first.what}: {first.restored}, expected {first.expected}",
                hint="it is good no more; take a new one",
            )
        return Answer(facts=facts, lines=_lines(entry.file, drilled), ok=error is None, error=error)

    return office.answer(act, watched=True)


def _lines(file: str, drilled: Drilled) -> list[str]:
    lines = [f"{file}: {'differs' if drilled.differences else 'restored and counted'}, level {drilled.level}"]
    lines += [f"  {key}: {drilled.restored.get(key)} of {value}" for key, value in drilled.expected.items()]
    lines += [f"  {each.what}: restored {each.restored}, expected {each.expected}" for each in drilled.differences]
    if drilled.note:
        lines.append(f"  {drilled.note}")
    if drilled.kept:
        lines.append(f"  kept: {drilled.kept}")
    return lines
