"""A power loss at any call of an append, and at any call of the recovery after it: old or new, never less.

The disks that leave out one fsync or one truncate show that the check can see what it is for.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from benchmarks.generate import CHANNEL_ID, write_export
from dce_play.discord.archive.append.append import AppendOptions, append
from dce_play.discord.archive.records.cursor import read_cursor
from dce_play.discord.archive.records.journal import JournalDamaged
from dce_play.discord.archive.records.records import read_appends
from dce_play.discord.archive.records.recover import JournalStranded, recover_channel
from dce_play.discord.archive.records.write_errors import WriteFailed
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.clock import SystemClock
from dce_play.system.durable.disk import Disk, FileFacts
from tests.faults.simulated_disk import DiskState, PowerLoss, SimulatedDisk

OPTIONS = AppendOptions(run_id="run-1", exporter="test", exporter_version="1")
CHANNEL = ChannelId(CHANNEL_ID)


class Loss(AssertionError):
    """A state that the promise does not allow."""


class TimelessDisk(SimulatedDisk):
    """Gives every file the same times, so that a record is believed as soon as inode and size fit."""

    def facts(self, descriptor: int) -> FileFacts:
        return _timeless(super().facts(descriptor))

    def facts_of(self, path: Path) -> FileFacts | None:
        facts = super().facts_of(path)
        return None if facts is None else _timeless(facts)


@dataclass(frozen=True)
class World:
    """One channel file, one delta, and what the file is before and after."""

    layout: TargetLayout
    stash: Path
    archive: Path
    delta: Path
    old: bytes
    new: bytes

    def disk(self, kind: "type[SimulatedDisk]" = TimelessDisk, *, stop_at: int | None = None) -> SimulatedDisk:
        return kind(self.layout.folder, self.stash, stop_at=stop_at)


Kind = type[SimulatedDisk]


@pytest.mark.contract("R-3.11", "D-63", "R-15.07")
def test_a_power_loss_at_any_call_leaves_old_or_new(world: World) -> None:
    seen = check_every_call(world, append_on=TimelessDisk, recover_on=None)

    assert seen > 100


@pytest.mark.slow
@pytest.mark.contract("R-3.11", "R-15.07")
def test_a_power_loss_in_the_recovery_leaves_old_or_new(world: World) -> None:
    seen = check_every_call(world, append_on=TimelessDisk, recover_on=TimelessDisk)

    assert seen > 500


class WithoutDataSync(TimelessDisk):
    def sync(self, descriptor: int) -> None:
        if not self._paths[descriptor].name.endswith("].json"):
            super().sync(descriptor)


class WithoutJournalSync(TimelessDisk):
    def sync(self, descriptor: int) -> None:
        if not self._paths[descriptor].name.endswith(".json.tmp"):
            super().sync(descriptor)


class WithoutFolderSyncAfterArming(TimelessDisk):
    def sync_folder(self, folder: Path) -> None:
        if not (folder / f"{CHANNEL_ID}.json").exists():
            super().sync_folder(folder)


class WithoutTruncate(TimelessDisk):
    def truncate(self, descriptor: int, size_bytes: int) -> None:
        pass


@pytest.mark.parametrize(
    ("append_on", "recover_on", "loss"),
    [
        pytest.param(WithoutDataSync, None, "neither the old|lines speak", id="no data fsync"),
        pytest.param(WithoutJournalSync, None, "recovery refuses", id="no journal fsync"),
        pytest.param(WithoutFolderSyncAfterArming, None, "neither the old", id="no folder fsync after arming"),
        pytest.param(TimelessDisk, WithoutDataSync, "neither the old", id="no fsync in rollback"),
        pytest.param(TimelessDisk, WithoutTruncate, "not what can be read back", id="no truncate in rollback"),
    ],
)
def test_a_protocol_without_one_of_its_steps_is_caught(
    world: World, append_on: Kind, recover_on: Kind | None, loss: str
) -> None:
    with pytest.raises((Loss, WriteFailed), match=loss):
        check_every_call(world, append_on=append_on, recover_on=recover_on)


@pytest.fixture
def world(tmp_path: Path) -> World:
    folder, stash = tmp_path / "target", tmp_path / "stash"
    layout = TargetLayout(folder)
    for path in (stash, layout.journal(CHANNEL).parent, layout.edits(CHANNEL).parent, layout.record(CHANNEL).parent):
        path.mkdir(parents=True)
    archive = write_export(folder / f"synthetic [{CHANNEL_ID}].json", range(3), words=30)
    delta = write_export(tmp_path / "delta.json", range(3, 5), words=30)
    old = archive.read_bytes()
    twin = tmp_path / "twin" / archive.name
    twin.parent.mkdir()
    twin.write_bytes(old)
    append(twin, [delta], OPTIONS, layout=TargetLayout(twin.parent), clock=SystemClock())
    return World(layout=layout, stash=stash, archive=archive, delta=delta, old=old, new=twin.read_bytes())


def check_every_call(world: World, *, append_on: Kind, recover_on: Kind | None) -> int:
    """Cut the power before each call of an append, look at every state left, and return how many there were.

    With ``recover_on``, the power is cut before each call of the recovery of every such state too.
    """
    begin = world.disk().state_now()
    seen: set[tuple[object, ...]] = set()
    stop_at, finished = 0, False
    while not finished:
        stop_at += 1
        disk = _restart(world, begin, append_on, stop_at)
        finished = _runs_to_its_end(partial(_append, world, disk))
        for state in disk.states():
            if (state.key(), finished) in seen:
                continue
            seen.add((state.key(), finished))
            if recover_on is None:
                _check(world, state, acknowledged=finished)
            else:
                _check_recovery(world, state, recover_on, seen, acknowledged=finished)
    return len(seen)


def _check_recovery(
    world: World, state: DiskState, kind: Kind, seen: set[tuple[object, ...]], *, acknowledged: bool
) -> None:
    stop_at, finished = 0, False
    while not finished:
        stop_at += 1
        disk = _restart(world, state, kind, stop_at)
        finished = _runs_to_its_end(partial(recover_channel, world.layout, CHANNEL, disk=disk))
        for after in disk.states():
            key = ("recovery", after.key(), acknowledged)
            if key not in seen:
                seen.add(key)
                _check(world, after, acknowledged=acknowledged)


def _check(world: World, state: DiskState, *, acknowledged: bool) -> None:
    """Recover from a state for good and hold the file, the appends and the record to the promise."""
    disk = _restart(world, state, TimelessDisk, None)
    try:
        recover_channel(world.layout, CHANNEL, disk=disk)
    except (JournalDamaged, JournalStranded) as error:
        raise Loss(f"recovery refuses: {error}") from error
    found = world.archive.read_bytes()
    lines = list(read_appends(world.layout, CHANNEL))
    if found not in {world.old, world.new}:
        raise Loss("the channel file is neither the old one nor the new one")
    if acknowledged and found != world.new:
        raise Loss("an append that had returned is gone")
    if len(lines) != (found == world.new):
        raise Loss(f"{len(lines)} lines speak of the append")
    cursor = read_cursor(world.archive, layout=world.layout, disk=disk)
    if cursor.message_count != len(json.loads(found)["messages"]):
        raise Loss("the record is believed and wrong")
    _append(world, disk)
    if world.archive.read_bytes() != world.new or len(list(read_appends(world.layout, CHANNEL))) != 1:
        raise Loss("the next append does not finish the work")


def _append(world: World, disk: Disk) -> None:
    append(world.archive, [world.delta], OPTIONS, layout=world.layout, clock=SystemClock(), disk=disk)


def _restart(world: World, state: DiskState, kind: Kind, stop_at: int | None) -> SimulatedDisk:
    world.disk().put_back(state)
    return world.disk(kind, stop_at=stop_at)


def _runs_to_its_end(action: Callable[[], object]) -> bool:
    try:
        action()
    except PowerLoss:
        return False
    return True


def _timeless(facts: FileFacts) -> FileFacts:
    return FileFacts(
        device=facts.device,
        inode=facts.inode,
        size_bytes=facts.size_bytes,
        mtime_ns=0,
        ctime_ns=0,
        mode=facts.mode,
        uid=facts.uid,
        gid=facts.gid,
    )
