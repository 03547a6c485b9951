"""What a signal does to a run from outside its walk: say so, and, when nobody waits any more, end it on the spot."""

import os
from dataclasses import dataclass
from typing import NoReturn

from dce_play.errors import ExitCode
from dce_play.events import Diagnosed, Outcome, RunEnded
from dce_play.runner.cancel import Reason
from dce_play.runner.record.stream import EventStream
from dce_play.runner.settings import RunSettings
from dce_play.system.process.descendants import end_descendants


@dataclass(slots=True)
class StopHooks:
    """The ``Hooks`` of a run."""

    stream: EventStream
    settings: RunSettings
    started: float

    def notice(self, reason: Reason, /) -> None:
        """Tell that the run is stopping."""
        self.stream.post(Diagnosed(severity="warning", message=f"{reason}: stopping", hint="once more to stop at once"))

    def end_hard(self, code: ExitCode, /) -> None:
        """Kill all programs, write the last event and leave the process."""

        def leave() -> NoReturn:
            os._exit(code)

        end_descendants()
        self.stream.post(
            RunEnded(
                outcome=Outcome.INTERRUPTED,
                exit_code=code,
                duration_s=self.settings.clock.monotonic() - self.started,
                next_command=self.settings.resume_command,
            ),
            then=leave,
        )
