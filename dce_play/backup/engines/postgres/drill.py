"""The drill of class A: the dump loaded into a throw-away server, and every table's rows counted there."""

import msgspec

from dce_play.backup.drills import differences
from dce_play.backup.engines.postgres.cluster import Throwaway, throwaway
from dce_play.backup.engines.postgres.counting import count_rows, recorded_rows
from dce_play.backup.engines.postgres.dump.edits import Edits
from dce_play.backup.engines.postgres.dump.record import DumpRecord
from dce_play.backup.engines.postgres.loading import load
from dce_play.backup.engines.postgres.tools import drill_tools, parse_version
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Difference, Drilled, EngineFacts
from dce_play.backup.manifest import Manifest
from dce_play.backup.protocols import DrillOptions, OpenBackup, Services
from dce_play.source import JsonValue

_MOST_DIFFERENCES = 100


def drill(backup: OpenBackup, services: Services, options: DrillOptions) -> Drilled:
    """Restore a dump into a throw-away server and compare what is there with what the dump holds.

    Raises: BackupError: ``no-tool``, ``version``, ``verify-failed`` for a dump that does not load.
    """
    version = parse_version(backup.manifest.engine.server_version)
    tools = drill_tools(services, major=version.major if version else 0)
    with throwaway(tools, services, options) as made:
        try:
            record = load(made.server, backup, Edits(place_tablespace=made.place_tablespace))
        except BackupError as error:
            if "No space left on device" in str(error):
                raise BackupError(ErrorId.NO_SPACE, str(error), hint="give a --drill-dir with more room") from error
            if error.error_id not in {ErrorId.ENGINE_FAILED, ErrorId.FORBIDDEN, ErrorId.NOT_FOUND}:
                raise
            raise BackupError(
                ErrorId.VERIFY_FAILED, f"{backup.manifest.file} does not restore: {error}", hint=_hint(str(error))
            ) from error
        if record.flaw:
            raise BackupError(ErrorId.TRUNCATED, f"{backup.manifest.file} is not whole: {record.flaw}")
        drilled = _compare(made, record, backup.manifest)
    if options.keep:
        pid = (made.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").split()[0]
        reach = f"psql -h {made.folder} -U {made.superuser} postgres; stop it with: kill -INT {pid}"
        return msgspec.structs.replace(drilled, kept=f"{made.folder}: {reach}")
    return drilled


def _compare(made: Throwaway, record: DumpRecord, manifest: Manifest) -> Drilled:
    facts = made.server.facts()
    counted = count_rows(made.server, [each.name for each in facts.databases if each.connectable])
    recorded = {table: rows for table, rows in recorded_rows(record).items() if table not in counted.extension_tables}
    restored_rows = {table: rows for table, rows in counted.rows.items() if table not in counted.extension_tables}
    roles = [role for role in facts.roles if role != made.superuser and not role.startswith("pg_")]
    expected: dict[str, JsonValue] = {
        "databases": len(record.databases),
        "roles": len(record.roles),
        "tables": len(recorded),
        "rows": sum(recorded.values()),
    }
    present = {each.name for each in facts.databases}
    restored: dict[str, JsonValue] = {
        "databases": len(present & set(record.databases)),
        "roles": len(set(roles) & set(record.roles)),
        "tables": len(restored_rows),
        "rows": sum(restored_rows.values()),
    }
    unlike = [
        Difference(what=f"rows of {table}", expected=recorded.get(table), restored=restored_rows.get(table))
        for table in sorted({*recorded, *restored_rows}, key=str)
        if recorded.get(table) != restored_rows.get(table)
    ][:_MOST_DIFFERENCES]
    unlike += differences(expected, restored)
    unlike += [
        Difference(what=f"{what}, by the manifest", expected=manifest.counts[what], restored=number)
        for what, number in record.counts().items()
        if what in manifest.counts and manifest.counts[what] != number
    ]
    engine = EngineFacts(name="postgres", server_version=facts.version, tool="psql", tool_version=facts.version)
    return Drilled(engine=engine, expected=expected, restored=restored, differences=tuple(unlike))


def _hint(message: str) -> str:
    if "locale" in message:
        return "this machine lacks a locale that a database was made with: generate it, then drill again"
    if "extension" in message or "could not access file" in message:
        return "this machine lacks an extension that the dump needs: install its package, then drill again"
    return ""
