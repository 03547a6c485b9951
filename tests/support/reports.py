"""Reports of runs, made comparable: what may differ between two runs of the same work is left out."""

import json
from pathlib import Path
from typing import Any

_RUN_FACTS = ("name", "mode", "outcome", "exit_code", "counts", "error", "diagnostics")
_STEP_FACTS = ("id", "name", "uses", "item", "group", "status", "summary", "outputs", "changes", "error")


def comparable(folder: Path) -> dict[str, Any]:
    """Return what the report of a run folder says, without times, attempts and run ids."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    text = json.dumps(
        {name: report[name] for name in _RUN_FACTS} | {"steps": [_step(each) for each in report["steps"]]}
    )
    made: dict[str, Any] = json.loads(text.replace(report["run"], "RUN"))
    return made


def _step(step: dict[str, Any]) -> dict[str, Any]:
    facts = {name: step[name] for name in _STEP_FACTS}
    facts["outputs"] = {name: value for name, value in facts["outputs"].items() if not name.endswith("_s")}
    return facts


def whole_runs(state: Path) -> list[Path]:
    """Return the run folders that are no item's, the newest last."""
    return sorted((folder for folder in (state / "runs").glob("*") if "." not in folder.name), key=_begun)


def _begun(folder: Path) -> tuple[str, str]:
    """Return when a run began: its name tells that to the second only."""
    journal = folder / "events.jsonl"
    first = journal.read_text(encoding="utf-8").partition("\n")[0] if journal.exists() else ""
    return folder.name.partition("-")[0], json.loads(first)["ts"] if first else ""


def item_runs(folder: Path) -> list[Path]:
    """Return the folders of the runs of a run's items."""
    return sorted(folder.parent.glob(f"{folder.name}.*"))
