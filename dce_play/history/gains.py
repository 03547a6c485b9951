"""What the scrapes of one run brought, target by target, told by its journal.

Only the lines about channels and about the ends of steps are parsed: of a journal of many megabytes that is little.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dce_play.events import ItemTold, StepEnded
from dce_play.runner.record.journal import JOURNAL_NAME
from dce_play.source import JsonValue

SCRAPE = "scrape.run"
_PROOF = "archive.prove_append"
_WELL = frozenset({"ok", "changed", "reused"})
_LONGEST_READ_BYTES = 128 << 20
_ADDED = re.compile(r"\+(\d+) messages")
_MARKERS = tuple(f'"type":"{kind}","step":'.encode() for kind in (ItemTold.TYPE, StepEnded.TYPE))


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGain:
    """What one run did for one target."""

    target: str
    added: int = 0
    """Messages that came into the archives."""
    grown: int = 0
    """Channels that got messages."""
    channels: int = 0
    """Channels that were looked at."""
    failed: int = 0
    skipped: int = 0
    unarchived: tuple[str, ...] = ()
    """Names of the guild's channels that no run archives."""
    ok: bool = False
    """Whether the scrape ended well, and the proof that followed it, if there was one."""
    ended: str = ""
    """When it ended, as events show times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGains:
    """What all scrapes of one run brought."""

    targets: tuple[TargetGain, ...] = ()
    proved: bool = False
    """Whether it was proved that the archives only grew, for some target, and failed for none."""

    @property
    def added(self) -> int:
        return sum(each.added for each in self.targets)

    @property
    def grown(self) -> int:
        return sum(each.grown for each in self.targets)


def read_gains(run_folder: Path, /) -> RunGains:
    """Return what the run's journal tells; what of it cannot be read counts for nothing."""
    added: dict[tuple[str, str], int] = {}
    status: dict[tuple[str, str], str] = {}
    ends: dict[str, tuple[TargetGain, int]] = {}
    proofs: dict[str, bool] = {}
    for event in _telling(run_folder / JOURNAL_NAME):
        step = event.get("step")
        uses, identifier = (str(step.get(name)) for name in ("uses", "id")) if isinstance(step, dict) else ("", "")
        if uses == SCRAPE and event.get("type") == ItemTold.TYPE:
            key = (identifier, str(event.get("key")))
            added[key] = added.get(key, 0) + _added(event)
            status[key] = str(event.get("status"))
        elif uses == SCRAPE:
            ends[identifier] = _ended(event, step if isinstance(step, dict) else {})
        elif uses == _PROOF and event.get("status") not in {"skipped", "not-run"}:
            proofs[identifier.rpartition("/")[0]] = event.get("status") in _WELL
    found = []
    for identifier, (gain, appended) in ends.items():
        mine = {key: count for key, count in added.items() if key[0] == identifier}
        told = [status[key] for key in mine]
        counted = replace(
            gain,
            ok=gain.ok and proofs.get(identifier.rpartition("/")[0], True),
            added=max(appended, sum(mine.values())),
            grown=sum(1 for count in mine.values() if count),
            channels=len(mine),
            failed=told.count("failed"),
            skipped=told.count("skipped"),
        )
        found.append(counted)
    return RunGains(targets=tuple(found), proved=bool(proofs) and all(proofs.values()))


def _telling(journal: Path) -> Iterator[dict[str, JsonValue]]:
    """Yield the events about items and ends of steps."""
    try:
        with journal.open("rb") as file:
            data = file.read(_LONGEST_READ_BYTES)
    except OSError:
        return
    places = sorted({data.rfind(b"\n", 0, at) + 1 for marker in _MARKERS for at in _each(data, marker)})
    for start in places:
        end = data.find(b"\n", start)
        if end < 0:
            return
        try:
            event = json.loads(data[start:end])
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def _each(data: bytes, marker: bytes) -> Iterator[int]:
    at = data.find(marker)
    while at >= 0:
        yield at
        at = data.find(marker, at + 1)


def _added(event: dict[str, JsonValue]) -> int:
    found = _ADDED.match(str(event.get("detail", "")))
    return int(found[1]) if found is not None else 0


def _ended(event: dict[str, JsonValue], step: dict[str, JsonValue]) -> tuple[TargetGain, int]:
    """Return the target that a scrape was of, and the messages that it says it added."""
    outputs = event.get("outputs")
    outputs = outputs if isinstance(outputs, dict) else {}
    unarchived, appended = outputs.get("unarchived"), outputs.get("appended")
    gain = TargetGain(
        target=str(outputs.get("target") or step.get("item") or ""),
        unarchived=tuple(str(name) for name in unarchived) if isinstance(unarchived, list) else (),
        ok=event.get("status") in _WELL,
        ended=str(event.get("ts", "")),
    )
    return gain, appended if isinstance(appended, int) else 0
