"""One process for items that is started before anybody asks, so that a run need not wait until Python has read us."""

from threading import Lock

from dce_play.runner.fan_out.item_places import ItemProgram
from dce_play.system.process.line_process import LineProcess


class SpareProcess:
    """Keeps one. It belongs to no run until it is taken, and ends with this process. For several threads."""

    def __init__(self, program: ItemProgram) -> None:
        self._program = program
        self._lock = Lock()
        self._process: LineProcess | None = None

    def fill(self) -> None:
        """Start one, unless there is one; where none can be started, whoever needs one will say so."""
        with self._lock:
            if self._process is None or self._process.ended():
                try:
                    self._process = self._program.start()
                except OSError:
                    self._process = None

    def take(self) -> LineProcess | None:
        """Hand it over; ``None`` when there is none that lives."""
        with self._lock:
            process, self._process = self._process, None
        return None if process is None or process.ended() else process
