"""A Redis server whose data folder is out of reach: it sends its snapshot, through ``redis-cli --rdb``."""

from dce_play.backup.engines.redis.checked import rdb_probe
from dce_play.backup.engines.redis.link import Link, in_the_middle
from dce_play.backup.engines.redis.memory import fork_warnings
from dce_play.backup.engines.redis.rdb_stream import RdbCut
from dce_play.backup.engines.redis.stream_check import StreamCheck
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency, EngineFacts, Produced
from dce_play.backup.streams import CHUNK_BYTES, Sink
from dce_play.system.process.executor import Finished, NoSuchProgram

FORMAT = "rdb"
_LONG_S = 7 * 24 * 3600.0
_MARKED = "until EOF marker"


class StreamSource:
    """``redis-cli --rdb -``. An ``EngineSource``."""

    extension = "rdb"
    is_compressible = True

    def __init__(self, link: Link, *, version: str) -> None:
        self._link = link
        self._version = version

    def estimate_bytes(self) -> int | None:
        """Return what the server's data take in memory: more than a snapshot has, in most cases."""
        return int(self._link.info("memory").get("used_memory_dataset", "0"))

    def check(self) -> Sink:
        return StreamCheck(self._link.services, container=self._link.container)

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:  # noqa: ARG002 - a snapshot is whole by itself
        """Write the snapshot without what the client puts behind it. See ``EngineSource.produce``."""
        link = self._link
        warnings = fork_warnings(link)
        command = link.command("--rdb", "-", timeout_s=_LONG_S)
        cut = RdbCut()
        with rdb_probe(link.services, link.container) as probe:

            def pass_on(data: bytes) -> None:
                out.write(data)
                probe.write(data)

            try:
                with link.services.streams.open(command) as program:
                    while chunk := program.read(CHUNK_BYTES):
                        pass_on(cut.feed(chunk))
                    finished = program.finish()
            except NoSuchProgram as error:
                raise BackupError(ErrorId.NO_TOOL, str(error), hint="install redis-tools") from error
            self._judge(finished)
            last, end = cut.close(marked=_MARKED in finished.stderr)
            if end.flaw:
                raise BackupError(ErrorId.TRUNCATED, f"{link.where}: the snapshot is not whole: {end.flaw}")
            pass_on(last)
            contents = probe.finish()
        return Produced(
            engine=EngineFacts(
                name="redis", server_version=self._version, tool="redis-cli", tool_version=contents.version
            ),
            source=link.source_facts(),
            format=FORMAT,
            consistency=Consistency.ENGINE,
            counts=contents.counts(),
            command=command.argv,
            warnings=warnings,
        )

    def _judge(self, finished: Finished) -> None:
        try:
            self._link.judge("--rdb", finished)
        except BackupError as error:
            raise in_the_middle(error) if error.error_id is ErrorId.UNREACHABLE else error from error
