"""Bounds of docs/reference/bounds.md that no other test meets: up to the bound it works, beyond it is told."""

import json
import os
import socket
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from dce_play.backup.engines.s3.index import lines
from dce_play.backup.errors import BackupError
from dce_play.discord.archive.scan.damage import Damage, DamagedFile
from dce_play.discord.archive.scan.head import read_head
from dce_play.discord.auth.token_file import BadTokenFile, read_token_file
from dce_play.discord.exporters.discord_api.convert.entities import parse_user
from dce_play.discord.exporters.discord_api.convert.latest_format import components
from dce_play.discord.exporters.discord_api.odd_messages import MOST_ODD, OddMessages, UnreadableMessage
from dce_play.discord.exporters.discord_api.rest.client import DiscordClient
from dce_play.discord.exporters.discord_api.rest.endpoints import MOST_ITEMS, complaint
from dce_play.discord.exporters.discord_api.rest.pages import EndlessListing, guilds
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.discord.media_store.urls import exported_name
from dce_play.errors import DcePlayError
from dce_play.host.journal import read_journal_file
from dce_play.playbook.document.document import read_document
from dce_play.runner.definition import differences
from dce_play.runner.scope import item_keys
from dce_play.source import JsonValue
from dce_play.system.clock import SystemClock
from dce_play.system.durable.named_outputs import write_named
from dce_play.system.lock.note import encode_meta, meta_path, own_meta, read_meta
from dce_play.system.redact import Masker
from dce_play.system.sd_notify import Notifier
from dce_play.system.secret_reference import NoSecret, read_reference
from dce_play.transfer.archive_check import ArchiveCheck, ArchiveLimits
from dce_play.transfer.refused import ArchiveRefused
from dce_play.transfer.sending.episodes.reason import Reason, encode_reason
from dce_play.transfer.sending.log_lines import ShipLog
from tests.support.fakes import FakeClock
from tests.support.scripted_discord import TOKEN, running_discord


def test_a_file_of_many_mistakes_is_read_over_so_often() -> None:
    def told(mistakes: int) -> int:
        text = "".join(f"k{number}: {{{{ x }}}} and {{{{ y }}}}\n" for number in range(mistakes))
        return len(read_document(Path("/x.yml"), text.encode()).problems)

    assert (told(24), told(100)) == (24, 25)


def test_an_answer_with_too_many_things_is_not_believed() -> None:
    assert complaint("users/@me/guilds", [{"id": "1", "name": "n"}] * MOST_ITEMS) is None
    assert complaint("users/@me/guilds", [{"id": "1", "name": "n"}] * (MOST_ITEMS + 1)) == "it has 20001 items"


def test_guilds_without_an_end_are_an_error() -> None:
    def page(query: dict[str, str]) -> list[dict[str, str]]:
        return [{"id": str(int(query["after"]) + number), "name": "n"} for number in range(1, 5001)]

    clock = FakeClock()
    with running_discord() as discord:
        discord.on("users/@me/guilds", page)
        client = DiscordClient(discord.base_url, TOKEN, clock=clock)
        with pytest.raises(EndlessListing):
            list(guilds(client, Watch(clock)))
        client.close()
    assert len(discord.requests) == 1 + 5  # who we are, and pages up to the first beyond 20,000


def test_more_odd_messages_than_are_odd_stop_the_export(tmp_path: Path) -> None:
    odd = OddMessages("111", tmp_path / "odd.jsonl", stop=False)
    for number in range(MOST_ODD):
        odd.meet({}, number, "odd")
    with pytest.raises(UnreadableMessage, match="the 1001th such message"):
        odd.meet({}, MOST_ODD, "odd")


def test_components_too_deep_are_left_out() -> None:
    deep: dict[str, object] = {}
    for _ in range(200):
        deep = {"type": 17, "components": [deep]}
    found, depth = components({"components": [deep]}), 0
    while found:
        inner = found[0].get("components", [])
        assert isinstance(inner, list)
        found, depth = inner, depth + 1
    assert depth == 16


def test_a_discriminator_without_end_is_none() -> None:
    def discriminator(written: str) -> str:
        return parse_user({"id": "1", "username": "n", "discriminator": written}).discriminator

    assert [discriminator("123456789"), discriminator("1" * 10), discriminator("1" * 5000)] == [
        "123456789",
        "0000",
        "0000",
    ]


def test_a_token_file_without_end_is_no_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("t" * 4096 + "\nmore")
    assert read_token_file(path) == "t" * 4096
    path.write_text("t" * 4097)
    with pytest.raises(BadTokenFile, match="too long for a token"):
        read_token_file(path)


def test_a_secret_without_end_is_none() -> None:
    with pytest.raises(NoSecret, match="too large for a secret"):
        read_reference("file:/dev/zero", environment={}, folder=Path("/"))


def test_a_secret_in_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NoSecret, match="is a pipe"):
        read_reference("file:pipe", environment={}, folder=tmp_path)


def test_a_header_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"guild": {"name": "' + b"x" * (17 << 20))
    with pytest.raises(DamagedFile) as damaged:
        read_head(path)
    assert damaged.value.damage is Damage.TOO_LARGE


def test_links_that_lead_round_are_refused(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.symlink_to(there)
    there.symlink_to(here)
    with pytest.raises(DcePlayError, match="symbolic links"):
        write_named(here, b"x", what="the report")
    assert here.is_symlink()


def test_a_note_without_end_is_not_read_to_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    note = encode_meta(own_meta(cmd="run", run_id="r", now=SystemClock().now()))
    meta_path(lock).write_bytes(note)
    os.truncate(meta_path(lock), 1 << 40)
    found = read_meta(lock)
    assert found is not None
    assert found.pid == os.getpid()


def test_a_key_of_an_items_step_is_short() -> None:
    assert [len(key) for key in item_keys(["x" * 80, "x" * 81])] == [80, 12]


def test_a_definition_that_differs_much_is_shown_in_part() -> None:
    def definition(word: str) -> dict[str, JsonValue]:
        return {"steps": {"a": word}, "texts": {"a.yml": "".join(f"{word} {number}\n" for number in range(500))}}

    shown = [line for line in differences(definition("old"), definition("new")) if line]
    assert shown[-1].endswith("more lines")
    assert len(shown) == 61


def test_a_status_for_systemd_is_cut(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        Notifier(str(tmp_path / "notify")).status("x" * 5000)
        assert manager.recv(10_000) == b"STATUS=" + b"x" * 512


def test_a_line_of_the_journal_without_end_is_left_out(tmp_path: Path) -> None:
    def line(message: str) -> str:
        return json.dumps({"__REALTIME_TIMESTAMP": "1700000000000000", "MESSAGE": message}) + "\n"

    path = tmp_path / "journal.jsonl"
    path.write_text(line("x" * (1 << 20)) + line("short"))
    found = read_journal_file(path, since=datetime(2020, 1, 1, tzinfo=UTC))
    assert [each.message for each in found] == ["short"]


def test_a_names_parts_are_cut_as_the_exporter_cuts_them() -> None:
    ending = "." + "e" * 40
    assert exported_name(f"https://cdn.invalid/name{ending}").endswith(ending)
    assert not exported_name(f"https://cdn.invalid/name{ending}e").endswith("e" * 41)
    assert exported_name(f"https://cdn.invalid/{'s' * 300}.png").rpartition("-")[0] == "s" * 42
    wide = "\U0001f600"
    assert len(exported_name(f"https://cdn.invalid/{wide * 300}.{wide * 40}").encode()) <= 255


def test_a_problem_that_is_very_large_is_left_out_of_a_reason() -> None:
    large = encode_reason(Reason(id="ep-1", reason="bad", problem={"detail": "x" * (64 << 10)}))
    small = encode_reason(Reason(id="ep-1", reason="bad", problem={"detail": "just this"}))
    assert b"just this" in small
    assert b"xxxx" not in large


def test_lines_of_a_fix_without_end_are_told_in_part() -> None:
    written: list[str] = []
    log = ShipLog(written.append, clock=FakeClock(), masker=Masker())
    log.fix([f"line {number}" for number in range(500)])
    assert sum(each.count("line ") for each in written) == 100


def test_a_line_of_a_buckets_index_without_end_is_refused() -> None:
    with pytest.raises(BackupError, match="has no end"):
        list(lines([b"x" * (1 << 19)] * 5))


def test_what_no_archive_of_an_episode_has_is_refused_by_its_size() -> None:
    for name, size in (("pax", (1 << 20) + 1), ("ep-1/meta.json", (1 << 20) + 1)):
        check = ArchiveCheck("ep-1", ArchiveLimits())
        tar = tarfile.TarInfo(name)
        tar.size, tar.type = size, b"x" if name == "pax" else tarfile.REGTYPE
        with pytest.raises(ArchiveRefused):
            check.feed(zstandard.ZstdCompressor().compress(tar.tobuf(tarfile.USTAR_FORMAT)))
