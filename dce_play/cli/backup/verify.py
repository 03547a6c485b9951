"""``dce-play backup verify``: read backups again, as far as a level says."""

from typing import Any

import click
import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Finding
from dce_play.backup.store.catalog import Entry
from dce_play.backup.take.verify import verify_entry
from dce_play.cli.backup.doors import services_of
from dce_play.cli.backup.office import Answer, Office, Verb, common_options
from dce_play.errors import ExitCode
from dce_play.system.cells import aligned
from dce_play.system.counted import counted


class VerifyRow(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one backup."""

    file: str
    ok: bool
    level: int
    findings: tuple[Finding, ...]


@click.command("verify", cls=Verb)
@click.argument("backups", metavar="BACKUP...", nargs=-1)
@click.option("--all", "all_of_them", is_flag=True, help="Every backup in backup_root.")
@click.option("--level", type=click.IntRange(1, 2), default=2, show_default=True, help="1: stored bytes; 2: contents.")
@click.option("--identity", metavar="REF", help="The key of an encrypted one: env:NAME, file:PATH or keyring:NAME.")
@click.option("--no-record", is_flag=True, help="Do not note it in the manifests.")
@common_options
def verify(backups: tuple[str, ...], **options: Any) -> int:
    """Read each BACKUP again from the disk and check it. One that fails is good no more; its file stays.

    \b
    Example:
      dce-play backup verify uptime-kuma@latest --level 1

    Exit codes: 0 all are as they should be; 1 one is not; 4 the tool that checks is not there; 5 no such backup.
    """
    if bool(backups) == options["all_of_them"]:
        raise click.UsageError("name backups, or say --all")
    office = Office("verify", options)

    def act() -> Answer:
        entries = [office.desk.entry(each) for each in backups] or list(office.desk.catalog().entries)
        rows = [_verify(office, entry, options) for entry in entries]
        heads = aligned([(row.file, "ok" if row.ok else "FAILED", f"level {row.level}") for row in rows])
        lines = [
            "\n".join((head, *(f"  {finding.id}: {finding.message}" for finding in row.findings)))
            for head, row in zip(heads, rows, strict=True)
        ]
        bad = [row for row in rows if not row.ok]
        error = None
        if bad:
            message = (
                f"{len(bad)} of {counted(len(rows), 'backup')} failed: {bad[0].file}: {bad[0].findings[-1].message}"
            )
            error = BackupError(ErrorId.VERIFY_FAILED, message, hint="the file stays; take a new one")
        return Answer(facts={"results": rows}, lines=lines, ok=not bad, code=ExitCode.OK, error=error)

    return office.answer(act, watched=True)


def _verify(office: Office, entry: Entry, options: dict[str, Any]) -> VerifyRow:
    verified = verify_entry(
        entry,
        services_of(office),
        level=options["level"],
        identity=options["identity"],
        record=not options["no_record"],
    )
    return VerifyRow(file=entry.file, ok=verified.ok, level=verified.level, findings=verified.findings)
