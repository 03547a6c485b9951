"""What the shipper told its journal in the last minutes, as rows: rejections first, each with its cure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dce_play.doctor.rows import Row, green, red, yellow
from dce_play.system.counted import counted
from dce_play.transfer.sending.own_commands import with_config

_FIELD = re.compile(r'(?P<key>[\w.]+)=(?P<value>"(?:[^"\\]|\\.)*"|[^ "]*)')
_EVENT = re.compile(r"(?P<event>(?:ship|quarantine)\.[a-z_]+)(?: (?P<rest>.*))?", re.DOTALL)
DENIED_FIX = "sudo usermod -aG systemd-journal $USER"


@dataclass
class _Seen:
    results: Counter[str] = field(default_factory=Counter)
    fixes: list[list[str]] = field(default_factory=list)
    """Blocks of ``ship.fix`` lines, as they came."""


def rows_of_journal(
    messages: Iterable[str], *, unit: str, waiting: int, remediation: Sequence[str], config: str = ""
) -> list[Row]:
    """Return one row a kind of problem, in the order of how bad it is, or one that says that there is none.

    ``waiting`` is how many episodes lie ready to be sent; ``remediation`` what to type when the receiver told nothing.
    """
    seen = _count(messages)
    fix = with_config(seen.fixes[-1] if seen.fixes else remediation, config.strip())
    follow = f"sudo journalctl -u {unit} -n 50 --no-pager"
    ship = f"dce-play ship ping{config}"
    quarantine = f"dce-play quarantine list{config}"
    rows = []
    if count := seen.results["gate"]:
        rows.append(red("ship.gate", f"{counted(count, 'ship')} rejected as out of window", *fix, count=count))
    if count := seen.results["bad_request"]:
        what = f"{counted(count, 'ship')} rejected as bad requests (400)"
        rows.append(red("ship.bad_request", what, *fix, quarantine, count=count))
    if count := seen.results["auth"]:
        what = f"the receiver refused our certificate or token, {_times(count)}"
        rows.append(red("ship.auth", what, ship, count=count))
    if count := seen.results["refused"]:
        what = f"{counted(count, 'ship')} refused for good, and in quarantine now"
        rows.append(red("ship.refused", what, quarantine, count=count))
    if count := seen.results["transient"]:
        what = f"{counted(count, 'try', 'tries')} failed and will be made again"
        rows.append(yellow("ship.transient", what, ship, follow, count=count))
    if rows:
        return rows
    if count := seen.results["good"]:
        return [green("ship.clean", f"{counted(count, 'ship')} arrived, none was rejected", count=count)]
    if waiting:
        restart = f"sudo systemctl restart {unit}"
        what = f"the journal of {unit} tells of no ship, and {counted(waiting, 'episode')} wait"
        return [yellow("ship.silent", what, f"systemctl status {unit}", restart, count=waiting)]
    return [green("ship.silent", f"the journal of {unit} tells of no ship, and no episode waits")]


def denied(reason: str, fix: str = DENIED_FIX) -> Row:
    """Return the row for a journal that cannot be read."""
    return yellow("journal.denied", f"cannot read the shipper's journal: {reason}", fix)


def _times(count: int) -> str:
    return "once" if count == 1 else counted(count, "time")


def _count(messages: Iterable[str]) -> _Seen:
    seen = _Seen()
    block: list[str] | None = None
    for message in messages:
        for event, rest in _events(message):
            if event == "ship.fix":
                if block is None:
                    block = []
                    seen.fixes.append(block)
                block.append(rest)
                continue
            block = None
            if event == "ship.result":
                seen.results[_kind(_fields(rest))] += 1
            elif event == "ship.paused":
                seen.results["paused auth" if _fields(rest).get("why") == "auth" else "paused"] += 1
    # A pause follows on the results that caused it: it counts only where no result was told.
    seen.results["auth"] = max(seen.results["auth"], seen.results["paused auth"])
    seen.results["transient"] = max(seen.results["transient"], seen.results["paused"])
    return seen


def _events(message: str) -> Iterator[tuple[str, str]]:
    for line in message.splitlines():
        found = _EVENT.fullmatch(line)
        if found is not None:
            yield found["event"], found["rest"] or ""


def _fields(text: str) -> Mapping[str, str]:
    return {found["key"]: found["value"].strip('"') for found in _FIELD.finditer(text)}


def _kind(facts: Mapping[str, str]) -> str:
    """Return which row a result belongs to."""
    match facts.get("http"), facts.get("outcome"):
        case "412", _:
            return "gate"
        case "400", "quarantined" | "held":
            return "bad_request"
        case "401" | "403", _:
            return "auth"
        case _, "held":
            return "gate"
        case _, "quarantined":
            return "refused"
        case _, "retry":
            return "transient"
        case _, "stored" | "duplicate":
            return "good"
    return "other"
