"""Bounds of docs/reference/bounds.md that no other test meets: up to the bound it works, beyond it is told."""

import os
from pathlib import Path

import pytest

from dce_play.discord.archive.scan.damage import Damage, DamagedFile
from dce_play.discord.archive.scan.head import read_head
from dce_play.discord.auth.token_file import LONGEST_BYTES, BadTokenFile, read_token_file
from dce_play.discord.exporters.discord_api.client import DiscordClient
from dce_play.discord.exporters.discord_api.endpoints import MOST_ITEMS, complaint
from dce_play.discord.exporters.discord_api.entities import parse_user
from dce_play.discord.exporters.discord_api.latest_format import components
from dce_play.discord.exporters.discord_api.odd_messages import MOST_ODD, OddMessages, UnreadableMessage
from dce_play.discord.exporters.discord_api.pages import MOST_GUILDS, EndlessListing, guilds
from dce_play.discord.exporters.discord_api.watch import Watch
from dce_play.errors import DcePlayError
from dce_play.playbook.document.document import read_document
from dce_play.system.clock import SystemClock
from dce_play.system.durable.named_outputs import write_named
from dce_play.system.lock.note import encode_meta, meta_path, own_meta, read_meta
from dce_play.system.secret_reference import NoSecret, read_reference
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
        found = guilds(client, Watch(clock))
        assert len([next(found) for _ in range(MOST_GUILDS)]) == MOST_GUILDS
        with pytest.raises(EndlessListing):
            list(found)
        client.close()


def test_more_odd_messages_than_are_odd_stop_the_export(tmp_path: Path) -> None:
    odd = OddMessages("111", tmp_path / "odd.jsonl", stop=False)
    for number in range(MOST_ODD):
        odd.meet({}, number, "odd")
    with pytest.raises(UnreadableMessage, match="the 1001th such message"):
        odd.meet({}, MOST_ODD, "odd")


def test_components_too_deep_are_left_out() -> None:
    deep: dict[str, object] = {}
    for _ in range(10_000):
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
    path.write_text("t" * LONGEST_BYTES + "\nmore")
    assert read_token_file(path) == "t" * LONGEST_BYTES
    path.write_text("t" * (LONGEST_BYTES + 1))
    with pytest.raises(BadTokenFile, match="too long for a token"):
        read_token_file(path)


def test_a_secret_without_end_is_none() -> None:
    with pytest.raises(NoSecret, match="too large for a secret"):
        read_reference("file:/dev/zero", environment={}, folder=Path("/"))


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
