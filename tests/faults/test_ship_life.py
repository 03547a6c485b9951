"""Whatever happens to a shipper, in any order: every episode is in exactly one folder, and at rest stored once.

A state machine over real passes in this process, a stand-in receiver over real HTTP, and crashes at any change of
the disk.
"""

import io
import shutil
import tarfile
import tempfile
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
import zstandard
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dce_play.errors import DcePlayError
from dce_play.system.clock import SystemClock
from dce_play.transfer.ids import split_name
from dce_play.transfer.sending.episodes.drain import drain
from dce_play.transfer.sending.episodes.quarantine import choose, requeue
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.settings import load_config
from tests.support.crashing import crash_after, full_disk
from tests.support.lab_hosts import COMMIT, LabHost, lab_host, ship
from tests.support.stand_in_receiver import Canned, StandIn, receiving

IDS = st.sampled_from(["a", "b", "c"])
MOODS = {
    "well": None,
    "500": Canned(status=500),
    "503": Canned(status=503),
    "401": Canned.problem(401, "unauthorised"),
    "412": Canned.problem(412, "commit_not_in_window"),
    "422": Canned.problem(422, "archive_invalid"),
    "damaged": Canned.problem(400, "digest_mismatch"),
    "portal": Canned(status=200, body=b"<html>"),
    "cut": Canned(status=0, cut=True),
}
TOKEN = "token"


class JumpingClock(SystemClock):
    """The machine's clock, off by as much as it is told. No stopwatch is."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


class ShipperLife(RuleBasedStateMachine):
    """One lab host's life."""

    born: ClassVar[int] = 0
    host: LabHost
    receiver: StandIn

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="ship-life-"))
        self.stack.callback(shutil.rmtree, self.folder)
        self.receiver = self.stack.enter_context(receiving())
        self.clock = JumpingClock()
        self.serial = 0
        self.alive: set[str] = set()
        """The tokens of all episodes that nobody has removed by hand."""

    @initialize(above=st.sampled_from(["1", '"off"']), on_gate=st.sampled_from(["hold", "quarantine"]))
    def begin(self, above: str, on_gate: str) -> None:
        self.host = lab_host(
            self.folder,
            self.receiver.url,
            more=f'on_gate = "{on_gate}"',
            receiver=f"[resume]\nabove = {above}\nchunk = 100\n",
        )
        self.new(name="first", stamped=True)  # a host that has never heard a receiver has only its own clock
        self.ship()

    def ship(self) -> None:
        ship(self.host, clock=self.clock)

    @property
    def spool(self) -> Spool:
        return Spool(load_config(self.host.config))

    def mood(self, mood: str) -> None:
        canned = MOODS.get(mood)
        self.receiver.lose_answers = mood == "lost answers"
        self.receiver.answer = lambda *_: canned

    @rule(name=IDS, stamped=st.booleans())
    def new(self, name: str, stamped: bool) -> None:
        if (self.host.data / "episodes" / name).exists():
            return
        self.serial += 1
        ShipperLife.born += 1
        token = f"{name}-{self.serial}"
        self.host.episode(name, commit=COMMIT if stamped else None, files={TOKEN: token.encode()})
        self.alive.add(token)

    @rule(mood=st.sampled_from([*MOODS, "lost answers"]))
    def one_pass(self, mood: str) -> None:
        self.mood(mood)
        self.ship()

    @rule()
    def written_to_while_it_is_sent(self) -> None:
        def late(method: str, path: str, _count: int) -> None:
            name = path.split("/")[3] if method == "PUT" else ""
            folder = self.host.data / "episodes" / name
            if name and folder.exists():
                (folder / "while-sent").write_text("late")

        self.mood("well")
        self.receiver.answer = late
        self.ship()

    @rule(
        name=IDS,
        mood=st.sampled_from(["well", "well", "well", "412", "422", "lost answers"]),
        changes=st.integers(0, 14),
    )
    def crashing_pass(self, name: str, mood: str, changes: int) -> None:
        self.new(name=name, stamped=True)
        self.mood(mood)
        with crash_after(self.host.data, changes):
            self.ship()

    @rule()
    def pass_on_a_full_disk(self) -> None:
        self.mood("well")
        with full_disk(self.host.data):
            try:
                self.ship()
            except (OSError, DcePlayError):
                return

    @rule(name=IDS)
    def late_writer(self, name: str) -> None:
        folder = self.host.data / "episodes" / name
        if folder.exists():
            self.serial += 1
            (folder / f"late-{self.serial}").write_text("late")

    @rule(name=IDS)
    def removed_and_used_again(self, name: str) -> None:
        folder = self.host.data / "episodes" / name
        if folder.exists():
            self.alive.discard((folder / TOKEN).read_text())
            shutil.rmtree(folder)
            self.new(name=name, stamped=True)

    @rule()
    def outbox_emptied(self) -> None:
        for path in (self.host.data / "outbox").iterdir():
            path.unlink()

    @rule(name=IDS)
    def tarball_rots(self, name: str) -> None:
        tar = self.host.data / "outbox" / f"{name}.tar.zst"
        if tar.exists():
            data = bytearray(tar.read_bytes())
            data[len(data) // 2] ^= 255
            tar.write_bytes(data)

    @rule(changes=st.integers(0, 12))
    def drained(self, changes: int) -> None:
        with crash_after(self.host.data, changes):
            drain(self.spool, host_id="lab-1", min_age_s=0, dry_run=False, clock=self.clock)

    @rule(changes=st.integers(0, 12))
    def requeued(self, changes: int) -> None:
        names = choose(self.spool, (), now=self.clock.now(), everything=True)
        with crash_after(self.host.data, changes):
            requeue(self.spool, names, dry_run=False)

    @rule(days=st.sampled_from([-3650, -1, -0.01, 0.01, 1, 29, 31, 3650]))
    def clock_jumps(self, days: float) -> None:
        self.clock.ahead = timedelta(days=days)

    @rule()
    def clock_is_set_right(self) -> None:
        self.clock.ahead = timedelta()

    @rule(after=st.integers(1, 6), stored=st.booleans(), forgets=st.booleans())
    def pass_with_a_receiver_that_restarts(self, after: int, stored: bool, forgets: bool) -> None:
        """It is killed while it answers, perhaps after it stored, and is away for two requests; uploads may be gone."""
        seen = 0

        def answer(*_: object) -> Canned | None:
            nonlocal seen
            seen += 1
            self.receiver.lose_answers = stored and seen == after
            if (seen == after and not stored) or after < seen <= after + 2:
                return Canned(status=0, cut=True)
            if seen == after + 3 and forgets:
                self.receiver.uploads.clear()
            return None

        self.mood("well")
        self.receiver.answer = answer
        self.ship()

    @rule()
    def moved_back_by_hand(self) -> None:
        for folder in (self.host.data / "quarantine").iterdir():
            found = split_name(folder.name)
            if found is not None and not (self.host.data / "episodes" / found[0]).exists():
                folder.rename(self.host.data / "episodes" / found[0])

    @invariant()
    def every_episode_is_in_exactly_one_folder(self) -> None:
        found = sorted(path.read_text() for path in self.folder.glob(f"data/*/*/{TOKEN}"))
        assert found == sorted(self.alive)

    @invariant()
    def what_is_shipped_was_stored_as_it_is(self) -> None:
        for folder in self.folder.glob("data/shipped/*/"):
            found = split_name(folder.name)
            assert found is not None
            if (folder.parent / f"{folder.name}.receipt.json").exists():
                assert contents(self.receiver.archives[found[0]]) == on_disk(folder)

    def teardown(self) -> None:
        try:
            if hasattr(self, "host"):
                self.at_rest()
        finally:
            self.stack.close()

    def at_rest(self) -> None:
        self.mood("well")
        self.clock.ahead = timedelta()
        for _ in range(4):
            self.ship()
        where = self.host.where()
        assert (where["episodes"], where["outbox"]) == ([], [])
        receipts = [name for name in where["shipped"] if name.endswith(".receipt.json")]
        assert len(receipts) == sum(not name.endswith(".json") for name in where["shipped"])
        self.every_episode_is_in_exactly_one_folder()
        self.what_is_shipped_was_stored_as_it_is()


def contents(archive: bytes) -> dict[str, bytes]:
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(archive), read_across_frames=True) as stream:
        raw = stream.read()
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        files = {member.name.partition("/")[2]: tar.extractfile(member) for member in tar if member.isfile()}
    return {name: file.read() for name, file in files.items() if file is not None}


def on_disk(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lives(examples: int, steps: int) -> int:
    """Live so many lives; return how many episodes they had in all."""
    before = ShipperLife.born
    run_state_machine_as_test(
        ShipperLife,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    return ShipperLife.born - before


@pytest.mark.contract("S2")
def test_nothing_is_lost_doubled_or_retired_unsent_in_any_order_of_events() -> None:
    assert lives(examples=60, steps=25) > 60


@pytest.mark.soak
@pytest.mark.contract("S2")
def test_nothing_is_lost_in_many_lives() -> None:
    assert lives(examples=500, steps=40) > 500
