"""A power loss at any call of what writes whole files: first exports, holes filled, edits taken, copies appended to."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import AppendOptions, EditPolicy, ReaderSafe, append
from dce_play.discord.archive.append.create import publish_first
from dce_play.discord.archive.records.records import read_appends
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.durable.disk import Disk
from dce_play.system.durable.json_lines import read_lines
from tests.faults.simulated_disk import DiskState, PowerLoss, SimulatedDisk
from tests.support.channel_files import channel_bytes
from tests.support.fakes import FakeClock

CHANNEL = ChannelId("111")
LATER = "2026-02-01T00:00:00+00:00"


@dataclass
class World:
    """One target's folder on a simulated disk."""

    folder: Path
    stash: Path

    @property
    def layout(self) -> TargetLayout:
        return TargetLayout(self.folder)

    @property
    def archive(self) -> Path:
        return self.folder / "room [111].json"

    @property
    def export(self) -> Path:
        return self.layout.temp / "export.111.x/export.json"

    def states(self, action: Callable[[Disk], object]) -> Iterator[tuple[DiskState, bool]]:
        """Yield each state that a power loss before any call of the action leaves, and whether the action had ended."""
        begin = SimulatedDisk(self.folder, self.stash).state_now()
        stop_at, finished = 0, False
        seen = set()
        while not finished:
            stop_at += 1
            SimulatedDisk(self.folder, self.stash).put_back(begin)
            disk = SimulatedDisk(self.folder, self.stash, stop_at=stop_at)
            try:
                action(disk)
                finished = True
            except PowerLoss:
                pass
            for state in disk.states():
                if (state.key(), finished) not in seen:
                    seen.add((state.key(), finished))
                    SimulatedDisk(self.folder, self.stash).put_back(state)
                    yield state, finished

    def append(self, disk: Disk, *, way: ReaderSafe = ReaderSafe.OFF, edits: EditPolicy = EditPolicy.SIDECAR) -> None:
        options = AppendOptions(run_id="r", reader_safe=way, edits=edits)
        append(self.archive, [self.export], options, layout=self.layout, clock=FakeClock(), disk=disk)

    def edits(self) -> list[str]:
        return [line["message"]["content"] for line in read_lines(self.layout.edits(CHANNEL))]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "target", tmp_path / "stash")
    layout = world.layout
    for folder in (world.stash, layout.journal(CHANNEL).parent, layout.edits(CHANNEL).parent, world.export.parent):
        folder.mkdir(parents=True)
    layout.record(CHANNEL).parent.mkdir()
    return world


def contents(archive: Path) -> bytes:
    return archive.read_bytes() if archive.exists() else b""


def test_a_first_export_is_whole_under_its_old_name_or_its_new_one(world: World) -> None:
    whole = channel_bytes([1, 2])
    world.export.write_bytes(whole)
    count = 0

    for _, finished in world.states(
        lambda disk: publish_first(
            world.export, world.archive, AppendOptions(run_id="r"), layout=world.layout, clock=FakeClock(), disk=disk
        )
    ):
        left = [path.read_bytes() for path in (world.export, world.archive) if path.exists()]
        assert left
        assert contents(world.archive) in {b"", whole}
        assert contents(world.export) in {b"", whole}
        assert not finished or (contents(world.archive) == whole and len(list(read_appends(world.layout))) == 1)
        count += 1

    assert count > 10


def test_an_export_that_nobody_synced_is_synced_before_it_takes_the_name(world: World) -> None:
    whole = channel_bytes([1, 2])

    def export_and_publish(disk: Disk) -> None:
        descriptor = disk.open(world.export, os.O_WRONLY | os.O_CREAT)
        disk.write_at(descriptor, whole, 0)
        disk.close(descriptor)
        options = AppendOptions(run_id="r")
        publish_first(world.export, world.archive, options, layout=world.layout, clock=FakeClock(), disk=disk)

    for _, finished in world.states(export_and_publish):
        assert contents(world.archive) in {b"", whole}
        assert not finished or contents(world.archive) == whole


def test_an_append_to_a_copy_leaves_old_or_new(world: World) -> None:
    old, new = channel_bytes([1]), channel_bytes([1, 2])
    world.archive.write_bytes(old)
    world.export.write_bytes(channel_bytes([2]))

    for _, finished in world.states(lambda disk: world.append(disk, way=ReaderSafe.REWRITE)):
        assert contents(world.archive) in {old, new}
        assert not finished or contents(world.archive) == new
        world.append(Disk())
        assert contents(world.archive) == new


def test_a_hole_filled_leaves_old_or_new(world: World) -> None:
    old, new = channel_bytes([1, 3]), channel_bytes([1, 2, 3, 4])
    world.archive.write_bytes(old)
    world.export.write_bytes(channel_bytes([2, 4]))

    for _, finished in world.states(world.append):
        assert contents(world.archive) in {old, new}
        assert not finished or contents(world.archive) == new
        world.append(Disk())
        assert contents(world.archive) == new


def test_an_edit_that_was_acknowledged_is_in_the_sidecar(world: World) -> None:
    world.archive.write_bytes(channel_bytes([1]))
    world.export.write_bytes(channel_bytes([1], contents={1: "newer"}, exported_at=LATER))

    for _, finished in world.states(world.append):
        assert not finished or world.edits() == ["newer"]
        world.append(Disk())
        assert world.edits() == ["newer"]


def test_an_edit_taken_never_loses_the_copy_that_it_replaces(world: World) -> None:
    old, new = channel_bytes([1]), channel_bytes([1], contents={1: "newer"})
    world.archive.write_bytes(old)
    world.export.write_bytes(channel_bytes([1], contents={1: "newer"}, exported_at=LATER))

    for _, _finished in world.states(lambda disk: world.append(disk, edits=EditPolicy.REWRITE)):
        assert contents(world.archive) in {old, new}
        assert contents(world.archive) == old or world.edits() == ["message 1"]
