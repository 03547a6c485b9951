"""Reading a journal while another run writes it, up to that run's end."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from dce_play.runner.record.journal import look
from dce_play.source import JsonValue
from dce_play.system.durable.regular_files import read_regular

_PAUSE_S = 0.1


def follow_journal(
    path: Path, tell: Callable[[Mapping[str, JsonValue]], None], stopping: Callable[[], bool], /
) -> bool:
    """Tell every event of a journal, and those that come while a living run holds it; return ``False`` when stopped.

    Raises: RunJournalDamaged; OSError.
    """
    offset = 0
    while True:
        running = look(path).running
        data = read_regular(path)[offset:]
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.split(b"\n")[:-1]:
            event = json.loads(line)
            if isinstance(event, dict):
                tell(event)
        offset += len(whole)
        if not running:
            return True
        if stopping():
            return False
        time.sleep(_PAUSE_S)
