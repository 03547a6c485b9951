"""A cluster opened for one backup in the custom format: globals and ``pg_dump -Fc`` of each database, in one tar."""

import msgspec

from dce_play.backup.engines.postgres.custom.archive import (
    COUNTS,
    GLOBALS,
    LIST,
    ArchiveWriter,
    DumpMember,
    name_members,
)
from dce_play.backup.engines.postgres.custom.check import CustomCheck
from dce_play.backup.engines.postgres.custom.listing import listing
from dce_play.backup.engines.postgres.dump.record import DumpRecord, joined
from dce_play.backup.engines.postgres.programs import LONG_S, stream_out
from dce_play.backup.engines.postgres.source import (
    ClusterSource,
    counts_of,
    dumpall,
    produced,
    refuse_unconnectable,
)
from dce_play.backup.facts import Produced
from dce_play.backup.streams import Sink
from dce_play.source import JsonValue

FORMAT = "pg.tar"


class CustomSource(ClusterSource):
    """``pg_dump -Fc`` of each database of one server. An ``EngineSource``."""

    extension = "pg.tar"
    is_compressible = False

    def check(self) -> Sink:
        return CustomCheck(self._server.tools, self._server.services)

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:  # noqa: ARG002 - dumps are their own snapshots
        """Write the tar. See ``EngineSource.produce``."""
        server, facts = self._server, self._facts
        refuse_unconnectable(server, facts)
        writer = ArchiveWriter(out, mtime=int(server.services.clock.now().timestamp()))
        wanted = [each.name for each in facts.databases if each.name not in server.keys.skip_databases]
        members = name_members(wanted)
        listed: list[JsonValue] = [{"name": each.name, "member": each.member} for each in members]
        writer.add_json(LIST, listed)
        records = [self._globals(writer), *(self._database(writer, each) for each in members)]
        record = joined(records)
        counts = counts_of(server, facts, record)
        writer.add_json(COUNTS, counts)
        writer.close()
        command = dumpall(server, facts, globals_only=True)
        told = produced(server, facts, command, format_name=FORMAT, counts=counts)
        return msgspec.structs.replace(told, checked=True)  # each dump by its listing

    def _globals(self, writer: ArchiveWriter) -> DumpRecord:
        writer.begin(GLOBALS)
        command = dumpall(self._server, self._facts, globals_only=True)
        record = self.dumped(command, writer.write, what="the roles are")
        writer.end()
        return record

    def _database(self, writer: ArchiveWriter, member: DumpMember) -> DumpRecord:
        server = self._server
        lock_wait = f"--lock-wait-timeout={round(server.keys.lock_wait * 1000)}"
        command = server.command("pg_dump", "-Fc", lock_wait, database=member.name, timeout_s=LONG_S)
        writer.begin(member.member)
        with listing(server.tools, server.services, database=member.name) as counted:

            def take(chunk: bytes) -> None:
                writer.write(chunk)
                counted.write(chunk)

            stream_out(server, command, take)
            record = counted.finish()
        writer.end()
        return record
