"""Containers that a dead run may have left behind, as the note beside the lock names them."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from dce_play.errors import DcePlayError
from dce_play.system.process.executor import Command, Executor

ContainerRuns = Callable[[str], bool | None]
"""Tells of an ``engine:id`` whether that container runs; ``None`` when the engine does not answer."""
NoteContainer = Callable[[str], AbstractContextManager[None]]
"""Entered with its ``engine:id`` around a container that writes the archive, as it inherits no lock."""

_ENGINES = frozenset({"docker", "podman"})
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]*")
_PATIENCE_S = 20.0


def note_nowhere(_container: str, /) -> AbstractContextManager[None]:
    """Note nothing, where no lock is held. A ``NoteContainer``."""
    return nullcontext()


def container_runs(executor: Executor) -> ContainerRuns:
    """Return what tells of an ``engine:id`` whether it runs; ``None`` when the engine does not answer.

    A note is a file that others can write: only known engines are ever started.
    """

    def ask(container: str) -> bool | None:
        engine, _, name = container.partition(":")
        if engine not in _ENGINES or not _NAME.fullmatch(name):
            return None
        command = Command(
            argv=(engine, "inspect", "--format", "{{.State.Running}}", name), timeout_s=_PATIENCE_S, is_question=True
        )
        try:
            finished = executor.run(command)
        except DcePlayError:
            return None
        if finished.exit_code == 0:
            return finished.stdout.strip() == "true"
        return False if "no such" in finished.stderr.lower() else None

    return ask
