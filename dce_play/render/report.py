"""A run as one document: ``report.json``, a fold of the run's events."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from dce_play.events import GROUPS, FannedOut, RunEnded, RunResumed, RunStarted, StepEnded
from dce_play.source import JsonValue
from dce_play.system.durable.regular_files import read_regular

REPORT_VERSION = 1
JOURNAL_NAME = "events.jsonl"
_raw_decode = json.JSONDecoder().raw_decode


def fold_report(events: Iterable[Mapping[str, JsonValue]], /) -> dict[str, JsonValue]:
    """Return the report of a run. Of a step that ran several times (a resume) the last end counts."""
    report: dict[str, JsonValue] = {"v": REPORT_VERSION, "run": "", "outcome": "lost", "exit_code": 137}
    steps: dict[str, dict[str, JsonValue]] = {}
    diagnostics: list[JsonValue] = []
    fanned_out: dict[str, Mapping[str, JsonValue]] = {}
    resumed = 0
    for event in events:
        match event.get("type"):
            case RunStarted.TYPE:
                report |= {"run": event.get("run"), "started": event.get("ts")}
                report |= {name: event[name] for name in _RUN_FACTS if name in event}
            case RunResumed.TYPE:
                resumed += 1
            case FannedOut.TYPE:
                step, runs = event.get("step"), event.get("runs")
                if isinstance(step, dict) and isinstance(runs, dict):
                    fanned_out[str(step.get("id"))] = runs
            case StepEnded.TYPE:
                step = event.get("step")
                if isinstance(step, dict):
                    identifier = str(step.get("id"))
                    steps.pop(identifier, None)  # so that the order is that of the last part
                    steps[identifier] = _step(step, event)
            case "diagnostic":
                diagnostics.append({name: event.get(name) for name in ("severity", "message", "hint")})
            case RunEnded.TYPE:
                report |= {"ended": event.get("ts")}
                report |= {name: event[name] for name in _END_FACTS if name in event}
    report["resume_count"] = resumed
    report["steps"] = _in_order(list(steps.values()), fanned_out)
    report["diagnostics"] = diagnostics
    if fanned_out:
        report["runs"] = _item_runs(steps, fanned_out)
    return report


_RUN_FACTS = ("mode", "playbook", "name", "version", "archive_root", "targets", "channels", "params")
_END_FACTS = ("outcome", "exit_code", "duration_s", "counts", "error", "next_command")


def _in_order(steps: list[dict[str, JsonValue]], fanned_out: Mapping[str, Mapping[str, JsonValue]]) -> list[JsonValue]:
    """Return the steps with those of items that ran at once in the order of the items."""
    for loop, runs in fanned_out.items():
        places = {key: number for number, key in enumerate(runs)}
        inside = f"{loop}["
        at = [number for number, step in enumerate(steps) if str(step["id"]).startswith(inside)]
        mine = [steps[number] for number in at]
        mine.sort(key=lambda step: places.get(str(step["id"]).removeprefix(inside).partition("]")[0], len(places)))
        for number, step in zip(at, mine, strict=True):
            steps[number] = step
    return list(steps)


def _item_runs(steps: Iterable[str], fanned_out: Mapping[str, Mapping[str, JsonValue]]) -> dict[str, JsonValue]:
    """Return the ids of the items' runs, by the item's id, of those that did something."""
    begun = {step[: place + 1] for step in steps for place, letter in enumerate(step) if letter == "]"}
    ids = {f"{loop}[{key}]": run for loop, runs in fanned_out.items() for key, run in runs.items()}
    return {identifier: run for identifier, run in ids.items() if identifier in begun}


def _step(step: Mapping[str, JsonValue], event: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    facts: dict[str, JsonValue] = {name: step.get(name) for name in ("id", "name", "uses", "item")}
    facts["group"] = step.get("uses") in GROUPS
    for name in ("status", "summary", "duration_s", "attempt", "outputs", "changes", "error"):
        facts[name] = event.get(name)
    return facts


def read_events(folder: Path, /) -> list[dict[str, JsonValue]]:
    """Return the events of a run folder, as far as they are whole."""
    text = read_regular(folder / JOURNAL_NAME).decode("utf-8", "surrogatepass")
    found = (_event(line) for line in text.split("\n")[:-1])
    return [event for event in found if isinstance(event, dict)]


def _event(line: str) -> JsonValue:
    """Return what ``json.loads`` would, which looks for blanks twice a line: half the time of a short one."""
    event, end = _raw_decode(line)
    if end != len(line):
        raise json.JSONDecodeError("Extra data", line, end)
    value: JsonValue = event
    return value


def report_data(folder: Path, /) -> bytes:
    """Return ``report.json`` of the run in a folder, as UTF-8.

    Raises: OSError.
    """
    text = json.dumps(fold_report(read_events(folder)), ensure_ascii=False, indent=2) + "\n"
    return text.encode("utf-8", "backslashreplace")
