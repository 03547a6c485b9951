"""Where a run is that goes on, or where it was when it was killed: the end of its journal."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from dce_play.events import GROUPS, StepEnded, StepProgressed, StepStarted
from dce_play.facts import Reached
from dce_play.render.text import amount, one_line
from dce_play.runner.record.journal import JOURNAL_NAME
from dce_play.runner.record.peek import NotAnEvent, last_lines
from dce_play.source import JsonValue
from dce_play.system.durable.regular_files import open_regular

_TAIL_BYTES = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The step that a run is in."""

    step: str = ""
    """Its name; empty where the end of the journal tells none."""
    index: int = 0
    """Its place among the steps of the plan, from 1; 0 where that is not known."""
    progress: str = ""
    """As in ``1 200 messages``; empty where it told none."""
    heard: str = ""
    """When the run last told anything, as events show times."""

    def words(self, step_count: int) -> str:
        """Return ``step 6 of 19: Scrape, 1 200 messages``."""
        count = f"step {self.index}{f' of {step_count}' if step_count else ''}: " if self.index else ""
        progress = f", {self.progress}" if self.progress else ""
        return f"{count}{self.step}{progress}"


def where_is(run_folder: Path, /) -> Place:
    """Return where the run is by its journal; an empty place where nothing can be read."""
    step, index, progress, heard = "", 0, "", ""
    for line in _tail(run_folder / JOURNAL_NAME):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(event, dict):
            continue
        heard = str(event.get("ts", heard))
        about = event.get("step")
        if not isinstance(about, dict) or about.get("uses") in GROUPS:
            continue
        name = one_line(str(about.get("name", "")))
        match event.get("type"):
            case StepStarted.TYPE:
                found = event.get("index")
                step, index, progress = name, found if isinstance(found, int) else 0, ""
            case StepProgressed.TYPE:
                index = index if step == name else 0
                step, progress = name, _progress(event)
            case StepEnded.TYPE if name == step:
                progress = ""
    return Place(step=step, index=index, progress=progress, heard=heard)


def _tail(journal: Path) -> list[bytes]:
    try:
        descriptor = open_regular(journal)
    except OSError:
        return []
    try:
        return last_lines(descriptor, os.fstat(descriptor).st_size, _TAIL_BYTES)
    except (OSError, NotAnEvent):
        return []
    finally:
        os.close(descriptor)


def _progress(event: dict[str, JsonValue]) -> str:
    reached = event.get("reached")
    if isinstance(reached, dict):
        try:
            return one_line(Reached(**reached).text())  # type: ignore[arg-type]  # what does not fit is an error
        except (TypeError, ValueError):
            return ""
    done, total, unit = event.get("done"), event.get("total"), one_line(str(event.get("unit", "")))
    if not isinstance(done, int | float):
        return ""
    if isinstance(total, int | float):
        share = f" ({100 * done / total:.0f} %)" if total else ""
        return f"{amount(done)} of {amount(total)} {unit}{share}"
    return f"{amount(done)} {unit}"
