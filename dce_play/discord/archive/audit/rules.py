"""From one reading of a file to its findings."""

from array import array
from collections.abc import Iterator
from pathlib import Path

from dce_play.discord.archive.audit.findings import RULE_OF_DAMAGE, Finding, Rule
from dce_play.discord.archive.audit.parts import Reading
from dce_play.discord.archive.folder.seeds import channel_id_of
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.frame import Frame
from dce_play.discord.archive.scan.id_order import MAX_TOLD, repeated_ids
from dce_play.discord.archive.scan.scanner import Scanner
from dce_play.snowflake import ChannelId, MessageId, is_number


def findings_of(path: Path, source: ChannelBytes, reading: Reading, *, count_before: int = 0) -> list[Finding]:
    """Return what is wrong with a file that was read. Reads it again where ids are out of order.

    ``count_before`` is how many messages stand before those that were read.
    """
    found = [] if reading.damage is None else [damage_finding(path, reading.damage)]
    found += _flaws(path, reading)
    found += _order(path, source, reading)
    if reading.frame is not None:
        found += _frame(path, reading.frame, count_before + message_count(reading))
    return found


def damage_finding(path: Path, damage: DamagedFile) -> Finding:
    """Return the finding for what made the file unreadable."""
    return Finding(rule=RULE_OF_DAMAGE[damage.damage], path=path, offset=damage.offset, detail=damage.reason)


def unreadable(path: Path, error: Exception) -> Finding:
    """Return the finding for a file that cannot be opened or read."""
    return Finding(rule=Rule.UNREADABLE, path=path, detail=str(error))


def channel_of(frame: Frame) -> ChannelId | None:
    """Return the channel that a file names, if it names one."""
    channel = frame.values.get("channel")
    found = channel.get("id") if isinstance(channel, dict) else None
    return ChannelId(found) if isinstance(found, str) and is_number(found) else None


def message_count(reading: Reading) -> int:
    """Return how many messages were read, those without an id too."""
    return reading.tally.order.count + reading.tally.unnumbered


def _flaws(path: Path, reading: Reading) -> Iterator[Finding]:
    rules = {"": Rule.NOT_A_MESSAGE, "id": Rule.NO_ID, "timestamp": Rule.NO_TIMESTAMP}
    tally = reading.tally
    for number, flaw in enumerate(tally.flaws):
        more = tally.flaw_count - len(tally.flaws) if number == MAX_TOLD - 1 else 0
        yield Finding(rule=rules[flaw.without], path=path, offset=flaw.offset, detail=flaw.reason + _and(more))


def _order(path: Path, source: ChannelBytes, reading: Reading) -> Iterator[Finding]:
    order = reading.tally.order
    if order.increasing:
        return
    if order.decreasing:
        detail = "its messages run from the newest to the oldest"
        yield Finding(rule=Rule.REVERSED, path=path, detail=detail)
        return
    for number, (offset, identifier) in enumerate(order.breaks):
        more = order.break_count - len(order.breaks) if number == MAX_TOLD - 1 else 0
        yield Finding(
            rule=Rule.NOT_SORTED,
            path=path,
            offset=offset,
            message_id=MessageId(str(identifier)),
            detail=f"message {identifier} stands behind a newer one{_and(more)}",
        )
    yield from _duplicates(path, source)


def _duplicates(path: Path, source: ChannelBytes) -> Iterator[Finding]:
    repeated: list[int] = []
    count = 0
    for identifier in repeated_ids(_all_ids(source)):
        count += 1
        if len(repeated) < MAX_TOLD and identifier not in repeated:
            repeated.append(identifier)
    offsets = _second_places(source, set(repeated))
    for number, identifier in enumerate(repeated):
        more = count - len(repeated) if number == len(repeated) - 1 else 0
        yield Finding(
            rule=Rule.DUPLICATE_ID,
            path=path,
            offset=offsets.get(identifier),
            message_id=MessageId(str(identifier)),
            detail=f"message {identifier} stands there more than once{_and(more)}",
        )


def _all_ids(source: ChannelBytes) -> "array[int]":
    ids = array("Q")
    try:
        for block in Scanner(source, lenient=True).blocks():
            ids.extend(block.numbers)
    except DamagedFile:
        pass  # told already; the ids before the damage are looked at
    return ids


def _second_places(source: ChannelBytes, wanted: set[int]) -> dict[int, int]:
    """Return where each of these ids stands for the second time."""
    seen: set[int] = set()
    places: dict[int, int] = {}
    try:
        for block in Scanner(source, lenient=True).blocks():
            if len(places) == len(wanted):
                break
            if not wanted.isdisjoint(block.numbers):
                for number, (start, _) in zip(block.numbers, block.places(), strict=True):
                    if number in seen:
                        places.setdefault(number, block.start + start)
                    elif number in wanted:
                        seen.add(number)
    except DamagedFile:
        pass
    return places


def _frame(path: Path, frame: Frame, count: int) -> Iterator[Finding]:
    if frame.states_count and frame.message_count != count:
        stated = "no number" if frame.message_count is None else frame.message_count
        detail = f"messageCount says {stated}, there are {count}"
        yield Finding(rule=Rule.WRONG_COUNT, path=path, offset=frame.end, detail=detail)
    channel_id, named = channel_of(frame), channel_id_of(path.name)
    if channel_id is None:
        yield Finding(rule=Rule.NO_CHANNEL, path=path, offset=0, detail="it names no channel by its id")
    elif named is not None and named != channel_id:
        detail = f"it holds channel {channel_id}, its name says {named}"
        yield Finding(rule=Rule.WRONG_CHANNEL, path=path, offset=0, detail=detail)


def _and(more: int) -> str:
    return f"; {more} more of these" if more > 0 else ""
