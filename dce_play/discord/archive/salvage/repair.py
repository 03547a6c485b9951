"""Salvage of one file: every whole message of a damaged or truncated export, in a new file that is whole.

    boundary = find_boundary(path)          # reads, writes nothing
    salvaged = salvage_file(path, into)     # writes a new file, durably

What is kept is the part before the first damage, as an export goes on from the last id it has: what was cut off is
fetched again, while a message left out in the middle would be missed for good.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dce_play.discord.archive.records.publish import check_space, replacing
from dce_play.discord.archive.records.write_errors import disk_errors
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.damage import Damage, DamagedFile
from dce_play.discord.archive.scan.engine import Engine
from dce_play.discord.archive.scan.envelope import Envelope, envelope_like, envelope_rebuilt, style_of
from dce_play.discord.archive.scan.frame import BOM, Frame, Preamble, opening_at, read_preamble, values_before
from dce_play.discord.archive.scan.head import Head, head_from
from dce_play.discord.archive.scan.scanner import Scanner
from dce_play.discord.archive.scan.strict_json import NotJson, strict_object
from dce_play.discord.archive.scan.tokens import Member, TooDeep, members_until, skip_space
from dce_play.errors import DcePlayError
from dce_play.snowflake import MessageId
from dce_play.system.durable.disk import REAL, Disk

_MAX_TRAILER_BYTES = 1 << 20


class NothingToRecover(DcePlayError):
    """A file that is not the beginning of an export, or is cut before one can tell of which channel."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"nothing to recover in {path}: {reason}", hint="export the channel again; keep or delete the file"
        )
        self.path = path
        self.reason = reason


class ReversedExport(DcePlayError):
    """A partial export that was written newest first: what it lacks is the oldest, so no export can go on from it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} was exported in reverse: its messages run from the newest to the oldest",
            hint="export the channel again without --reverse",
        )
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """How far a file is whole."""

    head: Head
    cut: int
    """Offset just past the last whole message, or past the ``[`` when there is none."""
    message_count: int
    first_id: MessageId | None
    last_id: MessageId | None
    """Ids of the messages that stand first and last."""
    complete: bool
    """Whether the whole file is sound and states no other count than it has."""
    ordered: bool
    reversed: bool
    """Whether there are two messages or more and every id is smaller than the one before."""
    damage: DamagedFile | None
    """What is wrong behind the cut; ``None`` when it is nothing, or only the stated count."""
    lost_bytes: int
    """How many bytes stand behind the cut that will not be kept; 0 for a complete file."""
    envelope: Envelope
    """What a whole file has around these messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvagedFile:
    """A file that ``salvage_file`` wrote."""

    path: Path
    message_count: int
    first_id: MessageId | None
    last_id: MessageId | None
    size_bytes: int
    boundary: Boundary


def find_boundary(path: Path, *, engine: Engine | None = None) -> Boundary:
    """Return how far a file is whole. Reads it from the start to the first damage, in bounded memory.

    Raises: NothingToRecover, OSError.
    """
    with open_bytes(path) as source:
        return _boundary(source, engine)


def salvage_file(partial: Path, into: Path, *, disk: Disk = REAL, engine: Engine | None = None) -> SalvagedFile:
    """Write every whole message of a file into a new one, which is on disk when this returns.

    ``into`` appears whole or not at all, with the mode and the owner of ``partial``, and may be ``partial`` itself.
    Raises: NothingToRecover, ReversedExport, NotEnoughSpace, WriteFailed; FileNotFoundError.
    """
    with disk_errors(into), open_bytes(partial) as source:
        boundary = _boundary(source, engine)
        if boundary.reversed:
            raise ReversedExport(partial)
        start = boundary.head.start
        header, trailer = boundary.envelope.header, boundary.envelope.trailer
        size_bytes = len(header) + boundary.cut - start + len(trailer)
        check_space(into.parent, size_bytes, disk=disk)
        with replacing(into, like=disk.facts(source.descriptor), disk=disk, source=partial) as (_, descriptor):
            disk.write_at(descriptor, header, 0)
            messages = boundary.cut - start
            disk.copy_range(source.descriptor, descriptor, messages, start=start, offset=len(header))
            disk.write_at(descriptor, trailer, size_bytes - len(trailer))
    return SalvagedFile(
        path=into,
        message_count=boundary.message_count,
        first_id=boundary.first_id,
        last_id=boundary.last_id,
        size_bytes=size_bytes,
        boundary=boundary,
    )


@dataclass(slots=True)
class _Tally:
    """What has been seen of the messages so far."""

    cut: int
    count: int = 0
    first: str | None = None
    last: str | None = None
    last_number: int = -1
    increasing: bool = True
    decreasing: bool = True

    def add(self, ids: list[str], numbers: list[int], end: int) -> None:
        if not ids:
            return
        chain = [self.last_number, *numbers] if self.count else numbers
        self.increasing = self.increasing and all(map(int.__lt__, chain, chain[1:]))
        self.decreasing = self.decreasing and all(map(int.__gt__, chain, chain[1:]))
        self.first = self.first or ids[0]
        self.last, self.last_number = ids[-1], numbers[-1]
        self.count += len(ids)
        self.cut = end


def _boundary(source: ChannelBytes, engine: Engine | None) -> Boundary:
    preamble, scan, tally = _begin(source, engine)
    damage: DamagedFile | None = None
    try:
        for block in scan.blocks():
            tally.add(block.ids, block.numbers, block.end)
        frame: Frame | None = scan.frame
    except DamagedFile as error:
        damage, frame = error, None
    style = style_of(preamble, opening_at(source, preamble.start))
    if frame is not None:
        values = frame.values
        complete = frame.message_count == tally.count if frame.states_count else True
        kept = frame.trailer
        envelope = envelope_like(frame, style, message_count=tally.count)
    else:
        kept, members, values = _kept_trailer(source, preamble, tally.cut)
        complete = False
        envelope = envelope_rebuilt(preamble, style, message_count=tally.count, kept=kept, kept_members=members)
    try:
        head = head_from(source, preamble, values)
    except DamagedFile as error:
        raise NothingToRecover(source.path, f"{error.reason} before the damage") from error
    return Boundary(
        head=head,
        cut=tally.cut,
        message_count=tally.count,
        first_id=None if tally.first is None else MessageId(tally.first),
        last_id=None if tally.last is None else MessageId(tally.last),
        complete=complete,
        ordered=tally.increasing,
        reversed=tally.count > 1 and tally.decreasing,
        damage=damage,
        lost_bytes=0 if damage is None else source.size_bytes - tally.cut - len(kept),
        envelope=envelope,
    )


def _begin(source: ChannelBytes, engine: Engine | None) -> tuple[Preamble, Scanner, _Tally]:
    try:
        preamble = read_preamble(source)
        values_before(preamble)
    except DamagedFile as error:
        if error.damage is Damage.TRUNCATED:
            raise NothingToRecover(source.path, "it ends before its first message") from error
        raise NothingToRecover(source.path, error.reason) from error
    return preamble, Scanner(source, preamble, engine=engine), _Tally(cut=preamble.start)


def _whole_members(data: bytes, start: int) -> tuple[Member, ...]:
    """Return the members up to the first that is cut, or nested deeper than any reader takes."""
    members: list[Member] = []
    with suppress(TooDeep):
        for member in members_until(data, start, stop_key=""):
            members.append(member)  # noqa: PERF402 - what came before the error stays
    return tuple(members)


def _kept_trailer(
    source: ChannelBytes, preamble: Preamble, cut: int
) -> tuple[bytes, tuple[Member, ...], Mapping[str, Any]]:
    """Return what is whole of a damaged trailer, its members, and the values of all members of the file."""
    data = source.read_at(_MAX_TRAILER_BYTES, cut)
    data = data[skip_space(data, 0) :]
    comma = skip_space(data, 1)
    if data[:1] == b"]" and data[comma : comma + 1] == b",":
        members = _whole_members(data, comma + 1)
        if members and members[-1].end == len(data):
            members = members[:-1]  # a number or a word that may go on
        while members:
            kept = data[: members[-1].end]
            try:
                values: dict[str, Any] = strict_object(preamble.data.removeprefix(BOM) + kept + b"}")
            except NotJson:
                members = members[:-1]
                continue
            return kept, members, values
    return b"", (), values_before(preamble)
