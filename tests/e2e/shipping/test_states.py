"""Where an episode is, and how it gets on from there after whatever happened to it."""

import json
import os
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dce_play.system.clock import SystemClock, utc_stamp
from dce_play.transfer.sending.connection.verdict import Outcome
from dce_play.transfer.sending.episodes.drain import drain
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.settings import load_config
from tests.support.lab_hosts import COMMIT, LabHost, outcomes, ship
from tests.support.stand_in_receiver import Canned, StandIn, unpacked_digest


def down(receiver: StandIn) -> None:
    receiver.answer = lambda *_: Canned(status=500)


def up(receiver: StandIn) -> None:
    receiver.answer = lambda *_: None


def test_an_archive_is_read_by_the_systems_own_programs(host: LabHost, receiver: StandIn, tmp_path: Path) -> None:
    long = "d" * 90 + "/" + "e" * 200 + ".bin"
    folder = host.episode("one", files={"a": b"x" * 3_000_000, "b/c": b"", long: b"long", "mül/ü": b"u"})
    (folder / "hollow").mkdir()
    (folder / "tool.sh").write_text("x")
    (folder / "tool.sh").chmod(0o700)
    ship(host)
    (tmp_path / "got.tar.zst").write_bytes(receiver.archives["one"])
    subprocess.run(["tar", "--zstd", "-xf", "got.tar.zst"], cwd=tmp_path, check=True, timeout=30)
    kept = host.data / "shipped" / "one"
    same = subprocess.run(["diff", "-r", kept, tmp_path / "one"], check=False, timeout=30, capture_output=True)
    assert same.returncode == 0, same.stdout
    listing = subprocess.run(
        ["tar", "--zstd", "-tvf", "got.tar.zst", "--numeric-owner", "--utc"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert {tuple(line.split()[i] for i in (1, 3)) for line in listing} == {("0/0", "1970-01-01")}
    names = [line.split(maxsplit=5)[5] for line in listing]
    assert names[0] == "one/"
    assert {line.split()[0] for line in listing} == {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"}


@pytest.mark.contract("S12")
def test_what_is_packed_is_never_packed_again(host: LabHost, receiver: StandIn) -> None:
    down(receiver)
    host.episode("one")
    ship(host)
    before = (host.data / "outbox" / "one.tar.zst").stat()
    up(receiver)
    receiver.lose_answers = True
    ship(host)
    after = (host.data / "outbox" / "one.tar.zst").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert json.loads((host.data / "outbox" / "one.pack.json").read_text())["attempts"] == 2


@pytest.mark.contract("S12")
def test_a_tarball_that_rotted_is_packed_anew(
    host: LabHost, receiver: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    down(receiver)
    host.episode("one")
    ship(host)
    tar = host.data / "outbox" / "one.tar.zst"
    data = bytearray(tar.read_bytes())
    data[len(data) // 2] ^= 1
    tar.write_bytes(data)
    up(receiver)
    assert outcomes(ship(host)) == {"one": ("stored", 201, "")}
    assert "ship.repacked id=one" in capfd.readouterr().err


@pytest.mark.contract("S12")
@pytest.mark.parametrize("acknowledged", [False, True])
def test_an_id_that_is_used_again_is_packed_and_sent_in_the_same_pass(
    host: LabHost, receiver: StandIn, capfd: pytest.CaptureFixture[str], acknowledged: bool
) -> None:
    down(receiver)
    first = host.episode("one", files={"a": b"first"})
    ship(host)
    if acknowledged:  # as after a crash between receipt and rename
        pack = json.loads((host.data / "outbox" / "one.pack.json").read_text())
        receipt = {"id": "one", "manifest_digest": pack["manifest_digest"]}
        (host.data / "outbox" / "one.receipt.json").write_text(json.dumps(receipt))
    shutil.rmtree(first)
    host.episode("one", files={"a": b"second"})
    up(receiver)
    assert outcomes(ship(host))["one"][0] == "stored"
    assert "ship.repacked id=one" in capfd.readouterr().err
    assert unpacked_digest(receiver.archives["one"]) == receiver.stored["one"]["manifest_digest"]
    assert (host.data / "shipped" / "one" / "a").read_bytes() == b"second"


@pytest.mark.contract("S12")
def test_what_a_late_writer_adds_is_never_retired_unsent(host: LabHost, receiver: StandIn) -> None:
    episode = host.episode("one")

    def late(method: str, _path: str, _count: int) -> None:
        if method == "PUT":
            (episode / "late.txt").write_text("late")

    receiver.answer = late
    got = outcomes(ship(host))
    assert got == {"one": ("quarantined", 409, "conflict")}
    assert (host.data / "quarantine" / "one" / "late.txt").exists()
    assert host.where()["shipped"] == []


@pytest.mark.contract("S2")
def test_acknowledged_is_retired_without_a_request(host: LabHost, receiver: StandIn) -> None:
    down(receiver)
    host.episode("one")
    ship(host)
    pack = json.loads((host.data / "outbox" / "one.pack.json").read_text())
    receipt = json.dumps({"id": "one", "manifest_digest": pack["manifest_digest"]})
    (host.data / "outbox" / "one.receipt.json").write_text(receipt)
    seen = len(receiver.requests)
    assert outcomes(ship(host))["one"][0] == "stored"
    assert len(receiver.requests) == seen
    assert (host.data / "shipped" / "one.receipt.json").read_text() == receipt


@pytest.mark.contract("S2")
@pytest.mark.parametrize("used_again", [False, True])
def test_a_half_retired_episode_is_finished(host: LabHost, receiver: StandIn, used_again: bool) -> None:
    down(receiver)
    host.episode("one")
    ship(host)
    pack = json.loads((host.data / "outbox" / "one.pack.json").read_text())
    receipt = json.dumps({"id": "one", "manifest_digest": pack["manifest_digest"]})
    (host.data / "outbox" / "one.receipt.json").write_text(receipt)
    (host.data / "episodes" / "one").rename(host.data / "shipped" / "one")
    if used_again:
        host.episode("one", files={"other": b"content"})
    up(receiver)
    ship(host)
    shipped = ["one", "one.receipt.json"] + (["one~2", "one~2.receipt.json"] if used_again else [])
    assert host.where() == {"episodes": [], "outbox": [], "shipped": shipped, "quarantine": []}
    assert (host.data / "shipped" / "one.receipt.json").read_text() == receipt


@pytest.mark.contract("S2")
def test_folders_that_old_scripts_retired_are_left_alone(host: LabHost, receiver: StandIn) -> None:
    old = host.data / "shipped" / "one"
    old.mkdir(parents=True)
    (old / "meta.json").write_text("{}")
    host.episode("one")
    assert outcomes(ship(host))["one"][0] == "stored"
    assert host.where()["shipped"] == ["one", "one~2", "one~2.receipt.json"]


@pytest.mark.contract("S2")
def test_a_cut_move_to_quarantine_is_finished_and_one_moved_back_by_hand_is_new(
    host: LabHost, receiver: StandIn
) -> None:
    down(receiver)
    for name in ("cut", "back"):
        host.episode(name)
    ship(host)
    for name in ("cut", "back"):
        reason = {"v": 1, "id": name, "reason": "bad_meta", "http": 422, "quarantined_at": "2026-11-01T00:00:00Z"}
        (host.data / "episodes" / name / "quarantine_reason.json").write_text(json.dumps(reason))
    (host.data / "outbox" / "back.pack.json").unlink()
    (host.data / "outbox" / "back.tar.zst").unlink()
    up(receiver)
    ship(host)
    assert host.where()["quarantine"] == ["cut"]
    assert host.where()["shipped"] == ["back", "back.receipt.json"]
    assert not (host.data / "shipped" / "back" / "quarantine_reason.json").exists()
    assert unpacked_digest(receiver.archives["back"]) == receiver.stored["back"]["manifest_digest"]


@pytest.mark.contract("S6")
def test_dead_files_leave_the_outbox_and_live_ones_stay(
    host: LabHost, receiver: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    down(receiver)
    for name in ("live", "gone"):
        host.episode(name)
    ship(host)
    outbox = host.data / "outbox"
    shutil.rmtree(host.data / "episodes" / "gone")
    (outbox / "dead.tar.zst.part").write_bytes(b"x")
    (outbox / "dead.upload.json").write_bytes(b"x")
    (outbox / "README").write_text("mine")
    (outbox / ".live.pack.json.0badcafe.tmp").write_text("x")
    capfd.readouterr()
    ship(host)
    assert host.where()["outbox"] == ["README", "live.pack.json", "live.tar.zst"]
    told = {line for line in capfd.readouterr().err.splitlines() if line.startswith("ship.swept")}
    assert told == {
        f"ship.swept file={name}"
        for name in (
            ".live.pack.json.0badcafe.tmp",
            "dead.tar.zst.part",
            "dead.upload.json",
            "gone.pack.json",
            "gone.tar.zst",
        )
    }


@pytest.mark.contract("S15")
def test_nothing_in_quarantine_or_shipped_is_overwritten(host: LabHost, receiver: StandIn) -> None:
    for round_ in range(3):
        receiver.answer = lambda *_: Canned(status=422)
        host.episode("bad", files={"round": str(round_).encode()})
        ship(host)
    up(receiver)
    for round_ in range(2):
        receiver.stored.clear()
        host.episode("good", files={"round": str(round_).encode()})
        ship(host)
    where = host.where()
    assert where["quarantine"] == ["bad", "bad~2", "bad~3"]
    assert where["shipped"] == ["good", "good.receipt.json", "good~2", "good~2.receipt.json"]
    assert [(host.data / "quarantine" / name / "round").read_text() for name in where["quarantine"]] == ["0", "1", "2"]


def link(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/passwd")


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "fifo")


def no_utf8(folder: Path) -> None:
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff"))).write_text("x")


@pytest.mark.contract("S2")
@pytest.mark.parametrize("spoil", [link, fifo, no_utf8])
def test_what_no_archive_may_hold_is_quarantined_here(host: LabHost, receiver: StandIn, spoil: object) -> None:
    folder = host.episode("one")
    assert callable(spoil)
    spoil(folder)
    host.episode("other")
    got = outcomes(ship(host))
    assert got == {"one": ("quarantined", 0, "unsafe_member"), "other": ("stored", 201, "")}
    assert receiver.methods("one") == []


def test_a_broken_meta_waits_for_its_writer_and_then_goes(host: LabHost) -> None:
    host.more = "ready_quiet_s = 50"
    host.write_config()
    folder = host.episode("one")
    (folder / "meta.json").write_text("{")
    assert (ship(host).waiting, host.where()["episodes"]) == (1, ["one"])
    long_ago = time.time() - 60
    for path in (folder / "frames/1.bin", folder / "frames", folder / "meta.json", folder):
        os.utime(path, (long_ago, long_ago))
    assert outcomes(ship(host)) == {"one": ("quarantined", 0, "bad_meta")}


def test_quiet_episodes_wait_until_nothing_changes(host: LabHost) -> None:
    host.more = 'ready_when = "quiet"\nready_quiet_s = 0.3'
    host.write_config()
    host.episode("one")
    assert ship(host).waiting == 1
    time.sleep(0.35)
    assert outcomes(ship(host))["one"][0] == "stored"


@pytest.mark.contract("S18")
def test_below_min_free_nothing_new_is_packed_and_what_is_packed_goes_on(host: LabHost, receiver: StandIn) -> None:
    down(receiver)
    host.episode("packed")
    ship(host)
    host.config.write_text(host.config.read_text().replace("min_free = 0", 'min_free = "8000000GiB"'))
    host.episode("new")
    up(receiver)
    got = outcomes(ship(host))
    assert got == {"packed": ("stored", 201, ""), "new": ("retry", 0, "no_space")}


@pytest.mark.contract("S18")
def test_shipped_episodes_with_a_receipt_leave_after_their_time(host: LabHost) -> None:
    host.more = "shipped_keep_days = 2"
    host.write_config()
    host.episode("old")
    host.episode("young")
    ship(host)
    (host.data / "shipped" / "unknown").mkdir()
    past = time.time() - 3 * 86_400
    os.utime(host.data / "shipped" / "old.receipt.json", (past, past))
    os.utime(host.data / "shipped" / "unknown", (past, past))
    ship(host)
    assert host.where()["shipped"] == ["unknown", "young", "young.receipt.json"]


def quarantined(host: LabHost, name: str, days: float | None) -> Path:
    folder = host.data / "quarantine" / name
    folder.mkdir(parents=True)
    if days is not None:
        moment = utc_stamp(datetime.now(UTC) - timedelta(days=days))
        reason = {"v": 1, "id": name, "reason": "bad_meta", "quarantined_at": moment}
        (folder / "quarantine_reason.json").write_text(json.dumps(reason))
    return folder


@pytest.mark.contract("S5")
def test_the_quarantine_is_cleaned_by_age_and_what_has_no_age_stays(
    host: LabHost, capfd: pytest.CaptureFixture[str]
) -> None:
    quarantined(host, "old", 31)
    quarantined(host, "young", 29)
    quarantined(host, "unknown", None)
    ship(host)
    assert host.where()["quarantine"] == ["unknown", "young"]
    assert "quarantine.removed id=old age_days=31" in capfd.readouterr().err
    items = {item["name"]: item["reason"] for item in host.json("quarantine", "list", code=0)["items"]}
    assert items == {"unknown": None, "young": "bad_meta"}


@pytest.mark.contract("S5")
def test_the_clean_up_keeps_its_interval_over_processes_and_zero_days_turn_it_off(host: LabHost) -> None:
    text = host.config.read_text()
    host.config.write_text(text.replace("cleanup_interval_s = 0", "cleanup_interval_s = 3600"))
    ship(host)
    quarantined(host, "old", 31)
    ship(host)
    assert host.where()["quarantine"] == ["old"]
    host.config.write_text(text.replace("[receiver]", "quarantine_keep_days = 0\n[receiver]"))
    ship(host)
    assert host.where()["quarantine"] == ["old"]
    host.config.write_text(text)
    ship(host)
    assert host.where()["quarantine"] == []


@pytest.mark.contract("S5")
def test_a_wrong_clock_empties_no_quarantine(
    host: LabHost, receiver: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.date = "Sat, 28 Nov 2016 10:00:00 GMT"  # ours is ten years ahead of it
    host.episode("one")
    ship(host)
    quarantined(host, "old", 31)
    ship(host)
    assert host.where()["quarantine"] == ["old"]
    assert "quarantine.skipped" in capfd.readouterr().err
    receiver.date = ""
    host.episode("two")
    ship(host)
    ship(host)
    assert host.where()["quarantine"] == []


class OffClock(SystemClock):
    """The machine's clock, ten years late."""

    def now(self) -> datetime:
        return super().now() - timedelta(days=3650)


@pytest.mark.contract("S5")
@pytest.mark.parametrize("unstamped", [True, False])
def test_what_was_quarantined_while_the_clock_was_years_late_stays_when_it_is_set_right(
    host: LabHost, receiver: StandIn, unstamped: bool
) -> None:
    host.episode("heard")
    ship(host, clock=OffClock())
    host.episode("late", commit=None if unstamped else COMMIT)
    if unstamped:
        drain(Spool(load_config(host.config)), host_id="lab-1", min_age_s=0, dry_run=False, clock=OffClock())
    else:
        receiver.answer = lambda *_: Canned.problem(422, "archive_invalid")
        ship(host, clock=OffClock())
    receiver.answer = lambda *_: None
    for name in ("one", "two"):
        host.episode(name)
        ship(host)
    assert host.where()["quarantine"] == ["late"]


@pytest.mark.contract("S5")
def test_what_cannot_be_removed_keeps_nothing_else_from_being_removed_or_sent(
    host: LabHost, capfd: pytest.CaptureFixture[str]
) -> None:
    host.more = "shipped_keep_days = 1"
    host.write_config()
    quarantined(host, "a-stuck", 31)
    (host.data / "quarantine" / ".dropped-a-stuck").write_text("in the way of its removal")
    quarantined(host, "b-old", 31)
    host.episode("new")
    done = ship(host)
    assert done.count(Outcome.STORED) == 1
    assert host.where()["quarantine"] == ["a-stuck"]
    assert "cleanup.failed id=a-stuck" in capfd.readouterr().err


def test_a_pass_counts_an_episode_that_is_not_ready_as_waiting_and_not_as_new(
    host: LabHost, capfd: pytest.CaptureFixture[str]
) -> None:
    host.episode("good")
    (host.episode("half") / "meta.json").write_text("{")
    ship(host)
    assert "ship.pass new=1 packed=0 stored=1 quarantined=0 retry=0 waiting=1" in capfd.readouterr().err


@pytest.mark.contract("S13")
def test_a_second_shipper_is_refused(host: LabHost) -> None:
    from dce_play.services.shipper import open_shipper
    from dce_play.transfer.sending.settings import load_config

    with open_shipper(load_config(host.config), environment={}):
        said = host.run("ship", "once")
        assert said.returncode == 75, said.stderr
        assert host.json("ship", "status", code=0)["running"] is True
    assert host.json("ship", "status", code=0)["running"] is False


@pytest.mark.contract("S13")
def test_folders_on_two_file_systems_are_refused(host: LabHost, receiver: StandIn) -> None:
    shm = Path("/dev/shm")
    if shm.stat().st_dev == host.data.stat().st_dev:
        pytest.skip("one file system")
    elsewhere = shm / f"dce-play-test-{os.getpid()}"
    elsewhere.mkdir()
    try:
        host.more = f'outbox_dir = "{elsewhere}"'
        host.write_config()
        host.episode("one")
        said = host.run("ship", "once")
    finally:
        shutil.rmtree(elsewhere)
    assert said.returncode == 4, said.stderr
    assert "file system" in said.stderr
    assert receiver.requests == []


def test_what_is_no_episode_is_told_and_never_touched(host: LabHost) -> None:
    episodes = host.data / "episodes"
    (episodes / "not an id").mkdir()
    (episodes / "x.json").mkdir()
    (episodes / "file").write_text("x")
    (episodes / "link").symlink_to("/")
    (episodes / ".hidden").mkdir()
    ship(host)
    assert host.json("ship", "status", code=0)["bad_names"] == ["file", "link", "not an id", "x.json"]
    assert {path.name for path in episodes.iterdir()} == {"not an id", "x.json", "file", "link", ".hidden"}


@pytest.mark.parametrize("above", ['"off"', "0"])
def test_several_at_once_end_as_one_by_one(host: LabHost, receiver: StandIn, above: str) -> None:
    host.more = "concurrency = 4"
    host.receiver = f"[resume]\nabove = {above}\nchunk = 300\n"
    host.write_config()
    receiver.commits = {COMMIT}
    for number in range(40):
        host.episode(f"good-{number:02}")
        if number % 4 == 0:
            host.episode(f"bad-{number:02}", commit=None)
    done = ship(host)
    assert (done.count(Outcome.STORED), done.count(Outcome.QUARANTINED)) == (40, 10)
    where = host.where()
    assert (where["episodes"], where["outbox"]) == ([], [])
    assert len(receiver.stored) == 40
    assert len(where["quarantine"]) == 10


def test_several_at_once_stop_together_when_nobody_answers(host: LabHost, receiver: StandIn) -> None:
    host.more = "concurrency = 4"
    host.write_config()
    receiver.answer = lambda *_: Canned(status=503)
    for number in range(30):
        host.episode(f"e{number:02}")
    assert ship(host).paused == "unreachable"
    assert len(receiver.requests) < 10
