"""Dump programs whose output streams through us: read to the end, then judged by their exit code."""

from collections.abc import Callable

from dce_play.backup.engines.postgres.server import Server
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.streams import CHUNK_BYTES
from dce_play.system.process.executor import Command, Finished, NoSuchProgram

LONG_S = 7 * 24 * 3600.0
"""A dump takes as long as it takes; what bounds it is the command's own timeout."""


def stream_out(server: Server, command: Command, take: Callable[[bytes], object]) -> None:
    """Run a dump program and hand its output on.

    Raises: BackupError, when it cannot be run or its exit code is not 0, whatever it wrote until then.
    """
    try:
        with server.services.streams.open(command) as program:
            while chunk := program.read(CHUNK_BYTES):
                take(chunk)
            finished = program.finish()
    except NoSuchProgram as error:
        raise BackupError(ErrorId.NO_TOOL, str(error), hint=error.hint) from error
    judge(server, command, finished)


def judge(server: Server, command: Command, finished: Finished) -> None:
    """Raise what a program's exit code says.

    Raises: BackupError.
    """
    if finished.exit_code != 0:
        container = server.tools.container
        words = (
            command.argv[len(server.tools.run_as) :]
            if container is None
            else command.argv[command.argv.index(container.name) + 1 :]
        )
        raise server.failure(words[0].rpartition("/")[2], finished)
