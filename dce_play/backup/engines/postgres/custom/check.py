"""Level 2 of a dump in the custom format: every database's dump read to its end by ``pg_restore``, and counted."""

from collections.abc import Mapping
from typing import BinaryIO

from dce_play.backup.engines.postgres.custom.archive import COUNTS, GLOBALS, LIST, ArchiveReader, Reads, read_json
from dce_play.backup.engines.postgres.custom.listing import listing
from dce_play.backup.engines.postgres.dump.record import DumpCounter, DumpRecord, joined
from dce_play.backup.engines.postgres.sql_check import compare_record
from dce_play.backup.engines.postgres.tools import Tools
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Services
from dce_play.backup.streams import PulledSink
from dce_play.source import JsonValue


class CustomCheck(PulledSink[None]):
    """A sink that checks the tar. With ``expected``, a manifest's counts, it also compares."""

    def __init__(self, tools: Tools, services: Services, expected: Mapping[str, JsonValue] | None = None) -> None:
        def pull(stream: BinaryIO) -> None:
            record, counts = read_archive(stream, tools, services)
            compare_record(record, counts)
            compare_record(record, expected)

        super().__init__(pull, name="pg_restore check")


def read_archive(stream: Reads, tools: Tools, services: Services) -> tuple[DumpRecord, Mapping[str, JsonValue]]:
    """Read the tar to its end; return what its dumps hold, and what it says itself that they hold.

    Raises: BackupError.
    """
    names: dict[str, str] = {}
    records: list[DumpRecord] = []
    counts: Mapping[str, JsonValue] = {}
    read: set[str] = set()
    for member, chunks in ArchiveReader(stream).members():
        read.add(member)
        if member == LIST:
            names = member_names(read_json(chunks))
        elif member == COUNTS:
            found = read_json(chunks)
            counts = found if isinstance(found, dict) else {}
        elif member == GLOBALS:
            counter = DumpCounter()
            for chunk in chunks:
                counter.feed(chunk)
            records.append(counter.finish())
        else:
            with listing(tools, services, database=database_of(member, names)) as counted:
                for chunk in chunks:
                    counted.write(chunk)
                records.append(counted.finish())
    missing = [name for member, name in names.items() if member not in read]
    if missing:
        raise BackupError(ErrorId.INCOMPLETE, f"the dump lacks the databases {', '.join(map(repr, missing))}")
    return joined(records), counts


def member_names(listed: JsonValue) -> dict[str, str]:
    """Return each database's name by its member.

    Raises: BackupError (``verify-failed``).
    """
    rows = listed if isinstance(listed, list) else []
    names = {
        str(row["member"]): str(row["name"]) for row in rows if isinstance(row, dict) and {"member", "name"} <= set(row)
    }
    if len(names) != len(rows):
        raise BackupError(ErrorId.VERIFY_FAILED, "the dump is damaged: its list of databases is none")
    return names


def database_of(member: str, names: Mapping[str, str]) -> str:
    """Return the database whose dump a member is.

    Raises: BackupError (``verify-failed``).
    """
    if member not in names:
        raise BackupError(ErrorId.VERIFY_FAILED, f"the dump is damaged: {member} is not in its list of databases")
    return names[member]
