"""What the scrapes of one run brought, target by target, told by its journal.

Only the lines about channels and about the ends of steps are parsed: of a journal of many megabytes that is little.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dce_play.events import ItemTold, StepEnded
from dce_play.runner.record.journal import JOURNAL_NAME
from dce_play.source import JsonValue
from dce_play.system.durable.regular_files import open_regular

SCRAPE = "scrape.run"
_PROOF = "archive.prove_append"
_WELL = frozenset({"ok", "changed", "reused"})
_NO_OUTCOME = frozenset({"started", "unarchived"})
"""What is told of channels beside what became of them."""
_LONGEST_READ_BYTES = 128 << 20
_ADDED = re.compile(r"\+(\d+) messages")
_MARKERS = tuple(f'"type":"{kind}","step":'.encode() for kind in (ItemTold.TYPE, StepEnded.TYPE))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelGain:
    """What became of one channel."""

    channel_id: str
    name: str = ""
    """What people call it; empty where the journal tells only the id."""
    status: str = ""
    added: int = 0
    total: int | None = None
    """Messages that it has now."""
    reason: str = ""
    """Why it was skipped or failed."""
    fix: str = ""
    """The command that mends that, where it is known."""
    keeps: str = ""
    """What that command saves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGain:
    """What one run did for one target."""

    target: str
    appended: int = 0
    """Messages that the scrape says it added, those of channels whose own lines are lost included."""
    channels: tuple[ChannelGain, ...] = ()
    """Those that were looked at, in order."""
    unarchived: tuple[str, ...] = ()
    """Names of the guild's channels that no run archives."""
    ok: bool = False
    """Whether the scrape ended well, and the proof that followed it, if there was one."""
    ended: str = ""
    """When it ended, as events show times."""

    @property
    def added(self) -> int:
        """Messages that came into the archives."""
        return max(self.appended, sum(each.added for each in self.channels))

    @property
    def grown(self) -> int:
        """Channels that got messages."""
        return sum(1 for each in self.channels if each.added)


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
    channels: dict[tuple[str, str], ChannelGain] = {}
    ends: dict[str, TargetGain] = {}
    proofs: dict[str, bool] = {}
    for event in _telling(run_folder / JOURNAL_NAME):
        step = event.get("step")
        uses, identifier = (str(step.get(name)) for name in ("uses", "id")) if isinstance(step, dict) else ("", "")
        if uses == SCRAPE and event.get("type") == ItemTold.TYPE:
            key = (identifier, str(event.get("key")))
            if event.get("status") not in _NO_OUTCOME and not _is_forum(event):
                channels[key] = _channel(event, before=channels.get(key))
        elif uses == SCRAPE:
            ends[identifier] = _ended(event, step if isinstance(step, dict) else {})
        elif uses == _PROOF and event.get("status") not in {"skipped", "not-run"}:
            proofs[_around(identifier)] = event.get("status") in _WELL
    found = [
        replace(
            gain,
            ok=gain.ok and proofs.get(_around(identifier), True),
            channels=tuple(each for key, each in channels.items() if key[0] == identifier),
        )
        for identifier, gain in ends.items()
    ]
    return RunGains(targets=tuple(found), proved=bool(proofs) and all(proofs.values()))


def _around(step: str) -> str:
    """Return the id of what stands around a step: a target's scrape and its proof stand in the same."""
    return step.rpartition("/")[0]


def _telling(journal: Path) -> Iterator[dict[str, JsonValue]]:
    """Yield the events about items and ends of steps."""
    try:
        with os.fdopen(open_regular(journal), "rb") as file:
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


def _is_forum(event: dict[str, JsonValue]) -> bool:
    """Return whether nobody counts the item among the channels: it has no messages of its own."""
    facts = event.get("facts")
    return isinstance(facts, dict) and facts.get("counts") is False


def _channel(event: dict[str, JsonValue], *, before: ChannelGain | None) -> ChannelGain:
    """Return what became of a channel; what it got ``before``, in another try or before a resume, counts too."""
    facts = event.get("facts")
    facts = facts if isinstance(facts, dict) else {}
    added, total, detail = facts.get("added"), facts.get("total"), str(event.get("detail") or "")
    told = _ADDED.match(detail)
    if not isinstance(added, int):
        added = int(told[1]) if told is not None else 0
    return ChannelGain(
        channel_id=str(event.get("key")),
        name=str(facts.get("name") or ""),
        status=str(event.get("status")),
        added=added + (before.added if before is not None else 0),
        total=total if isinstance(total, int) else None,
        reason=str(facts.get("remark") or facts.get("why") or "") or ("" if told is not None else detail),
        fix=str(facts.get("fix") or ""),
        keeps=str(facts.get("keeps") or ""),
    )


def _ended(event: dict[str, JsonValue], step: dict[str, JsonValue]) -> TargetGain:
    outputs = event.get("outputs")
    outputs = outputs if isinstance(outputs, dict) else {}
    unarchived, appended = outputs.get("unarchived"), outputs.get("appended")
    return TargetGain(
        target=str(outputs.get("target") or step.get("item") or ""),
        appended=appended if isinstance(appended, int) else 0,
        unarchived=tuple(str(name) for name in unarchived) if isinstance(unarchived, list) else (),
        ok=event.get("status") in _WELL,
        ended=str(event.get("ts", "")),
    )
