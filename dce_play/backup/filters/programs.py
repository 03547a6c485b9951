"""A filter that is a program: what is written goes to its standard input, what it says goes on into the next sink."""

import threading
from contextlib import ExitStack

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.streams import CHUNK_BYTES, Sink
from dce_play.system.process.executor import Command
from dce_play.system.process.streaming import StreamedProgram, Streams


class ProgramSink:
    """A sink through a program into another sink. Its exit code counts, and so does what the next sink says."""

    def __init__(self, command: Command, streams: Streams, out: Sink) -> None:
        self._stack = ExitStack()
        self._name = command.argv[0]
        self._program: StreamedProgram = self._stack.enter_context(streams.open(command, stdin=True))
        self._out = out
        self._failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._carry, name=f"filter {self._name}", daemon=True)
        self._thread.start()

    def write(self, data: "bytes | memoryview", /) -> None:
        try:
            self._program.write(data)
        except (BrokenPipeError, ValueError):
            self._collect()
            raise BackupError(ErrorId.ENGINE_FAILED, f"{self._name} reads no more, and does not say why") from None

    def finish(self) -> None:
        self._program.close_stdin()
        self._collect()

    def abort(self) -> None:
        self._program.end()
        self._thread.join(timeout=5.0)
        self._stack.close()

    def _collect(self) -> None:
        self._program.close_stdin()
        self._thread.join()
        finished = self._program.finish()
        self._stack.close()
        if self._failures:
            raise self._failures[0]
        if finished.exit_code != 0:
            said = finished.stderr or "it said nothing"
            raise BackupError(ErrorId.ENGINE_FAILED, f"{self._name} ended with exit code {finished.exit_code}: {said}")

    def _carry(self) -> None:
        try:
            while data := self._program.read(CHUNK_BYTES):
                self._out.write(data)
        except BaseException as error:  # noqa: BLE001 - it is raised where the stream is written
            self._failures.append(error)
            self._program.end()  # so that whoever writes into it is woken
