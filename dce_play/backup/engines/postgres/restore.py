"""The restore of class A into a running server: what is there is renamed, the dump is loaded, its rows are counted."""

import msgspec

from dce_play.backup.definitions.model import Module
from dce_play.backup.engines.postgres.counting import count_rows, recorded_rows
from dce_play.backup.engines.postgres.custom.check import read_archive
from dce_play.backup.engines.postgres.custom.source import FORMAT as CUSTOM
from dce_play.backup.engines.postgres.dump.edits import Edits
from dce_play.backup.engines.postgres.dump.record import MAINTENANCE, DumpCounter, DumpRecord
from dce_play.backup.engines.postgres.loading import load
from dce_play.backup.engines.postgres.put_aside import (
    Moved,
    aside_name,
    planned,
    put_aside,
    put_back,
)
from dce_play.backup.engines.postgres.server import Server, ServerFacts, open_server
from dce_play.backup.engines.postgres.session import session
from dce_play.backup.engines.postgres.tools import parse_version
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import REFUSE, PlanItem
from dce_play.backup.protocols import OpenBackup, Restoring, Services
from dce_play.backup.streams import SourceFile, chunks
from dce_play.errors import ExitCode
from dce_play.system.clock import free_stamp
from dce_play.system.counted import counted


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A server that a dump is to go into, and what the dump holds."""

    server: Server
    facts: ServerFacts
    record: DumpRecord

    @property
    def replaced(self) -> list[str]:
        """The databases of the dump that are there already."""
        return [each.name for each in self.facts.databases if each.name in self.restored]

    @property
    def restored(self) -> list[str]:
        """The databases that the load creates."""
        return [name for name in self.record.databases if name not in MAINTENANCE]

    @property
    def edits(self) -> Edits:
        """What is left out of the dump because it is there."""
        return Edits(roles=frozenset(self.facts.roles), tablespaces=frozenset(self.facts.tablespaces))


def look(backup: OpenBackup, module: Module, services: Services) -> Target:
    """Read the dump through, and ask the server what is there. Touches nothing.

    Raises: BackupError (``version`` for a server that is older than the dump).
    """
    server, facts = open_server(module, services)
    dumped = parse_version(backup.manifest.engine.server_version)
    if dumped is not None and facts.parsed.major < dumped.major:
        raise BackupError(
            ErrorId.VERSION,
            f"the backup is of PostgreSQL {dumped}, {server.where} runs {facts.parsed}",
            hint=f"restore into a server of version {dumped.major} or newer",
        )
    return Target(server=server, facts=facts, record=_read_through(backup, server))


def _read_through(backup: OpenBackup, server: Server) -> DumpRecord:
    with backup.plain() as source:
        if backup.manifest.format == CUSTOM:
            record, _ = read_archive(SourceFile(source), server.tools, server.services)
            source.finish()
            return record
        counter = DumpCounter()
        for chunk in chunks(source):
            counter.feed(chunk)
        return counter.finish()


def plan(backup: OpenBackup, module: Module, services: Services) -> tuple[PlanItem, ...]:
    """Return what a restore would do.

    Raises: BackupError.
    """
    target = look(backup, module, services)
    sizes = {each.name: each.bytes for each in target.facts.databases}
    record, manifest = target.record, backup.manifest
    items = [
        PlanItem(
            what="version",
            detail=f"the backup is of {manifest.engine.server_version}, the server {target.facts.version}",
        ),
        PlanItem(
            what="contents",
            detail=f"{counted(len(record.databases), 'database')}, {counted(len(record.roles), 'role')}, "
            f"{counted(len(record.tables), 'table')}, {counted(record.rows, 'row')}; "
            f"{counted(manifest.plain_bytes, 'byte')} of SQL",
        ),
    ]
    for name in target.restored:
        if name in sizes:
            aside = aside_name(name, "<time>")
            items.append(
                PlanItem(
                    what="replace",
                    detail=f'database "{name}" ({counted(sizes[name], "byte")}) has its sessions ended, '
                    f'is renamed to "{aside}", and is loaded anew',
                )
            )
        else:
            items.append(PlanItem(what="create", detail=f'database "{name}"'))
    present = sorted(set(record.roles) & set(target.facts.roles))
    if present:
        items.append(PlanItem(what="keep", detail=f"roles that exist get the backup's settings: {', '.join(present)}"))
    untouched = [name for name in sizes if name not in record.databases and name not in MAINTENANCE]
    if untouched:
        items.append(PlanItem(what="keep", detail=f"not in the backup and left as they are: {', '.join(untouched)}"))
    return (*items, *_own_objects(target, backup))


def _own_objects(target: Target, backup: OpenBackup) -> list[PlanItem]:
    items = []
    for name in target.record.own_objects:
        items.append(
            PlanItem(what=REFUSE, detail=f'the backup has objects in database "{name}" itself: --apply is refused')
        )
        cat = f"dce-play backup cat {backup.manifest.file} --plain"
        section = f"sed -n '/^\\\\connect {name}$/,/^-- PostgreSQL database dump complete$/p'"
        load_it = f"psql -v ON_ERROR_STOP=1 -d {name}"
        if backup.manifest.format == CUSTOM:
            section, load_it = f"tar -xO databases/{name}.dump", f"pg_restore --exit-on-error -d {name}"
        items.append(PlanItem(what="command", detail=f"{cat} | {section} | {load_it}"))
    return items


def restore(backup: OpenBackup, module: Module, services: Services, restoring: Restoring) -> None:
    """Put aside what is there, load the dump, count; put back what was put aside if any of it fails.

    Raises: BackupError.
    """
    target = look(backup, module, services)
    if target.record.flaw:
        raise BackupError(ErrorId.TRUNCATED, f"{backup.manifest.file} is not whole: {target.record.flaw}")
    if target.record.own_objects:
        raise BackupError(
            ErrorId.AMBIGUOUS,
            f"the backup has objects of its own in {' and '.join(target.record.own_objects)}",
            hint="the plan (restore without --apply) prints the commands that load them",
        )
    connectable = {each.name: each.connectable for each in target.facts.databases}
    force = target.facts.parsed.major >= 13
    with session(target.server, major=target.facts.parsed.major) as held:
        stamp = free_stamp(
            restoring.stamp, lambda each: any(held.has(aside_name(name, each)) for name in target.replaced)
        )
        restoring.begins(
            aside=[f'database "{name}" is put aside as "{aside_name(name, stamp)}"' for name in target.replaced]
        )
        moved: list[Moved] = []
        created: list[str] = []
        try:
            for name in target.replaced:
                moved.append(planned(name, stamp=stamp, connectable=connectable[name]))
                put_aside(held, moved[-1])
            created += target.restored
            load(target.server, backup, target.edits)
            _compare(target)
        except BackupError as error:
            put_back(held, moved, created, force=force)
            restoring.is_as_before()
            raise _half_way(error, moved) from error
        except BaseException:
            put_back(held, moved, created, force=force)
            restoring.is_as_before()
            raise
    for each in moved:
        services.say(f'database "{each.name}" as it was waits as "{each.aside}"')


def _half_way(error: BackupError, moved: list[Moved]) -> BackupError:
    back = f"; {', '.join(each.name for each in moved)} put back as before" if moved else ""
    return BackupError(error.error_id, f"the restore failed: {error}{back}", hint=error.hint, exit_code=ExitCode.FAILED)


def _compare(target: Target) -> None:
    """Look whether all rows of the dump arrived. Clients may have written more since."""
    recorded = {
        table: rows for table, rows in recorded_rows(target.record).items() if table.database not in MAINTENANCE
    }
    held = count_rows(target.server, target.restored)
    for table, rows in recorded.items():
        there = held.rows.get(table, 0)
        if there < rows:
            raise BackupError(ErrorId.VERIFY_FAILED, f"table {table} has {counted(there, 'row')}, the backup {rows}")
