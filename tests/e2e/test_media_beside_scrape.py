"""Media fetched beside a scrape, from the simulated Discord: its pages, its media server, its signatures."""

import json
import time
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dce_play.discord.simulator.faults import Dropped, Failing, Fault, Faults, Lengthened, Status, Truncated
from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.worlds import Size, build_world
from tests.support.command_line import Said, Terminal, terminal_in
from tests.support.media_server import media_server
from tests.support.operators import ROOM, Operator
from tests.support.small_file_system import enlarge, small_file_system

_ATTACHMENTS = "/attachments/[0-9]*"  # not the API's refresh-urls


def _terminal(folder: Path, simulator: Simulator, *, mode: str = "attachments") -> tuple[Terminal, Path]:
    target = folder / "archive" / "t"
    terminal = terminal_in(
        folder,
        DCE_DISCORD_CDN_BASE=simulator.cdn_base,
        DCE_DISCORD_API_BASE=simulator.base_url,
        DISCORD_TOKEN=simulator.token,
    )
    _write_targets(terminal, simulator, target, mode)
    terminal.write("p.yml", "version: 1\nname: p\nsteps:\n  - name: scrape\n    scrape.run: {target: t}\n")
    return terminal, target


def _write_targets(terminal: Terminal, simulator: Simulator, target: Path, mode: str) -> None:
    guild = next(iter(simulator.world.guilds))
    entry = {"name": "t", "output_dir": str(target), "guild_ids": [guild], "media": mode, "media_jobs": 8}
    terminal.write("scrape-targets.json", json.dumps({"archive_root": str(target.parent), "targets": [entry]}))


def _scrape(terminal: Terminal) -> Said:
    said = terminal.run("run", "p.yml")
    assert said.code == 0, said.out + said.err
    return said


def _lines(target: Path) -> list[dict[str, Any]]:
    """Return the last line of each URL."""
    found = [json.loads(line) for line in (target / ".dce-media" / "media.jsonl").read_text().splitlines()]
    return list({line["url"]: line for line in found}.values())


def _named(target: Path) -> set[str]:
    """Return the attachments that the channel files name, without signatures."""
    files = [json.loads(path.read_bytes()) for path in target.glob("*.json")]
    return {
        attachment["url"].partition("?")[0]
        for each in files
        for message in each["messages"]
        for attachment in message["attachments"]
    }


def _assert_all_kept(target: Path, simulator: Simulator) -> None:
    lines = _lines(target)
    assert {line["state"] for line in lines} == {"kept"}, lines
    assert _named(target)
    assert _named(target) <= {line["url"] for line in lines}
    for line in lines:
        data = (target / ".dce-media" / "sha256" / line["sha256"][:2] / line["sha256"]).read_bytes()
        served = simulator.media_file(urlsplit(line["url"]).path)
        assert served is not None
        assert sha256(data).hexdigest() == line["sha256"] == sha256(served).hexdigest()


@pytest.mark.contract("M4", "M5", "M10")
def test_a_scrape_keeps_what_its_pages_name_forwarded_media_too(tmp_path: Path) -> None:
    world = build_world(1, size=Size(channels=1, messages=60))
    with running_simulator(world, media=True) as simulator:
        terminal, target = _terminal(tmp_path, simulator)
        assert "media missing" not in _scrape(terminal).err
        _assert_all_kept(target, simulator)
        assert "forwarded.png" in {line["name"] for line in _lines(target)}  # 2.46's files do not name it
        assert terminal.run("media", "verify", "t", "--deep").code == 0


@pytest.mark.contract("M4", "M5")
def test_media_of_files_that_another_exporter_wrote_are_fetched_too(tmp_path: Path) -> None:
    """A stand-in for DiscordChatExporter writes the files; what the increment brings is fetched with it."""
    with media_server() as server:
        operator = Operator(tmp_path, DCE_DISCORD_CDN_BASE=server.base)
        target = operator.target("demo", media="attachments")
        for number in (1, 2, 3):
            server.files[f"/attachments/{ROOM}/{number}/a.png"] = b"abc"
        operator.answers(ROOM, attach=3)
        said = operator.run("proof")
        assert said.code == 0, said.out + said.err
        found = {(line["url"].rpartition("/")[0].rpartition("/")[2], line["state"]) for line in _lines(target)}
        assert found == {("3", "kept")}  # 1 and 2 were in the archive before, without attachments


@pytest.mark.contract("M6")
def test_the_media_server_never_sees_the_token(tmp_path: Path) -> None:
    with running_simulator(build_world(1, size=Size(channels=1, messages=60)), media=True) as simulator:
        terminal, _ = _terminal(tmp_path, simulator, mode="all")
        _scrape(terminal)
        asked = [each for each in simulator.requests if "/attachments/1" in each.path or "/avatars/" in each.path]
        assert len(asked) > 3
        assert {each.bot for each in asked} == {None}


@pytest.mark.contract("M4", "M5")
def test_missing_media_fail_nothing_and_are_told(tmp_path: Path) -> None:
    with running_simulator(build_world(1, size=Size(channels=1, messages=60)), media=True) as simulator:
        simulator.play(Faults(scripted=(Fault(trouble=Status(status=404), path=_ATTACHMENTS, times=None),)))
        terminal, target = _terminal(tmp_path, simulator)
        said = _scrape(terminal)
        assert "media missing" in said.out + said.err
        assert {line["state"] for line in _lines(target)} == {"gone"}
        assert list(target.glob("*.json"))


@pytest.mark.contract("M5")
@pytest.mark.parametrize("how", ["a file", "ledger is a folder"])
def test_a_store_that_cannot_be_used_fails_no_append(tmp_path: Path, how: str) -> None:
    with running_simulator(build_world(1, size=Size(channels=1, messages=60)), media=True) as simulator:
        terminal, target = _terminal(tmp_path, simulator)
        target.mkdir(parents=True)
        store = target / ".dce-media"
        if how == "a file":
            store.write_bytes(b"somebody's")
        else:
            (store / "media.jsonl").mkdir(parents=True)
        said = _scrape(terminal)
        assert "! " in said.out + said.err
        (channel,) = (json.loads(path.read_bytes()) for path in target.glob("*.json"))
        assert len(channel["messages"]) == 60
        if how == "a file":
            assert store.read_bytes() == b"somebody's"


@pytest.mark.root
@pytest.mark.contract("M5")
def test_a_full_disk_stops_media_and_no_message(tmp_path: Path) -> None:
    """The store lies on a file system of 300 KB; the channel files on another one."""
    with running_simulator(build_world(1, size=Size(channels=1, messages=90)), media=True) as simulator:
        terminal, target = _terminal(tmp_path, simulator)
        store = target / ".dce-media"
        store.mkdir(parents=True)
        with small_file_system(store, "size=300000"):
            said = _scrape(terminal)
            assert "! " in said.out + said.err
            (channel,) = (json.loads(path.read_bytes()) for path in target.glob("*.json"))
            assert len(channel["messages"]) == 90
            assert not list(store.rglob("*.part"))
            assert terminal.run("media", "verify", "t", "--deep").code == 0
            enlarge(store)
            assert terminal.run("media", "fetch", "t").code == 0
            _assert_all_kept(target, simulator)


@pytest.mark.contract("M4")
def test_signatures_that_end_before_the_backlog_is_fetched_are_renewed(tmp_path: Path) -> None:
    """Scraped without media, fetched when every signature in the channel files has ended."""
    world = build_world(1, size=Size(channels=2, messages=90))
    with running_simulator(world, media=True, signatures_last_s=1.0) as simulator:
        terminal, target = _terminal(tmp_path, simulator, mode="off")
        _scrape(terminal)
        time.sleep(2.0)  # a signature holds to the end of the second in which it ends
        simulator.expire()
        _write_targets(terminal, simulator, target, "attachments")
        said = terminal.run("media", "fetch", "t")
        assert said.code == 0, said.err
        _assert_all_kept(target, simulator)
        refreshes = [each for each in simulator.requests if each.path.endswith("/refresh-urls")]
        assert 1 <= len(refreshes) <= 4
        assert {each.bot for each in refreshes} == {False}


@pytest.mark.contract("M3", "M5")
@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_media_server_does_wrong_the_next_runs_have_all_bytes(tmp_path: Path, seed: int) -> None:
    """Cuts, drops, bodies of another length and server errors, at random; never a byte that is not the file's."""
    world = build_world(seed, size=Size(channels=1, messages=90))
    troubles: tuple[Failing, ...] = (
        Dropped(),
        Truncated(share=0.7),
        Truncated(share=0.2),
        Lengthened(by=3),
        Status(status=503),
    )
    with running_simulator(world, media=True) as simulator:
        terminal, target = _terminal(tmp_path, simulator)
        simulator.play(
            Faults(
                scripted=tuple(
                    Fault(trouble=each, path=_ATTACHMENTS, skip=2 * number + seed, times=1 + number % 2)
                    for number, each in enumerate(troubles)
                )
            )
        )
        _scrape(terminal)
        simulator.play(Faults())
        assert terminal.run("media", "fetch", "t").code == 0
        _assert_all_kept(target, simulator)
        assert not list(target.rglob("*.part"))


@pytest.mark.contract("M3", "M10")
def test_a_rehearsals_second_pass_has_every_byte_though_all_signatures_ended(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path, TMPDIR=str(tmp_path))
    said = terminal.run("run", "proof", "--rehearse", "-e", "media=all")
    assert said.code == 0, said.out + said.err
    (stage,) = tmp_path.glob("dce-play-rehearsal-*")
    stores = sorted(stage.glob("archives/*/.dce-media"))
    assert len(stores) == 2
    for store in stores:
        lines = _lines(store.parent)
        assert {line["state"] for line in lines} <= {"kept", "excluded"}
        assert _named(store.parent) <= {line["url"] for line in lines if line["state"] == "kept"}
        for line in lines:
            if line["state"] == "kept":
                data = (store / "sha256" / line["sha256"][:2] / line["sha256"]).read_bytes()
                assert (len(data), sha256(data).hexdigest()) == (line["size"], line["sha256"])
