"""Tests of ``dce-play export``, as a process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import forked
from tests.support.scripted_discord import TOKEN, Reply, Room, ScriptedDiscord, running_discord


@pytest.fixture
def discord() -> Iterator[ScriptedDiscord]:
    with running_discord() as server:
        yield server


def start(discord: ScriptedDiscord, folder: Path, *arguments: str, token: str | None = TOKEN) -> subprocess.Popen[str]:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DCE_DISCORD_API_BASE": discord.base_url,
        **({} if token is None else {"DISCORD_TOKEN": token}),
    }
    return forked.start(
        [sys.executable, "-m", "dce_play", "export", *arguments],
        cwd=folder,
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(discord: ScriptedDiscord, folder: Path, *arguments: str, token: str | None = TOKEN) -> tuple[int, str, str]:
    with start(discord, folder, *arguments, token=token) as process:
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


def test_a_channel_is_exported_into_the_file(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5, 6, 7]).open()

    code, out, err = run(discord, tmp_path, "111", "--output", "export.json", "--after", "5")

    assert (code, TOKEN in out + err) == (0, False)
    assert "exported 2 messages" in out
    assert "last id 7, complete" in out
    assert json.loads((tmp_path / "export.json").read_bytes())["messageCount"] == 2


def test_an_existing_file_is_not_replaced_unless_told_so(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5]).open()
    (tmp_path / "archive.json").write_text("precious")

    code, _, err = run(discord, tmp_path, "111", "--output", "archive.json")
    assert (code, "exists" in err, (tmp_path / "archive.json").read_text()) == (2, True, "precious")

    assert run(discord, tmp_path, "111", "--output", "archive.json", "--overwrite")[0] == 0


def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(
    discord: ScriptedDiscord, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for output in ("missing/export.json", "file/export.json"):
        code, _, err = run(discord, tmp_path, "111", "--output", output, token=None)
        assert (code, f"cannot write {output}" in err) == (2, True)


def test_a_forbidden_channel_fails_with_a_line(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5]).open()
    discord.on("channels/111/messages", Reply(status=403))

    code, out, err = run(discord, tmp_path, "111", "--output", "export.json")

    assert (code, out) == (1, "")
    assert err.startswith("error: channel 111 skipped: request to 'channels/111/messages?limit=1' failed: forbidden")


def test_a_refused_token_and_a_missing_one_exit_7(discord: ScriptedDiscord, tmp_path: Path) -> None:
    discord.on("users/@me", Reply(status=401))

    assert run(discord, tmp_path, "111", "--output", "export.json")[0] == 7
    assert run(discord, tmp_path, "111", "--output", "export.json", token=None)[0] == 7
    assert not (tmp_path / "export.json").exists()


def test_an_api_base_that_would_show_the_token_is_refused(discord: ScriptedDiscord, tmp_path: Path) -> None:
    code, _, err = run(discord, tmp_path, "111", "--output", "e.json", "--api-base", "http://discord.com/api/v10")

    assert (code, "plain http" in err, discord.requests) == (2, True, [])


@pytest.mark.parametrize(
    "arguments", [("x", "--output", "e.json"), ("1", "--output", "e.json", "--after", "-1"), ("1",)]
)
def test_nonsense_is_a_usage_error(discord: ScriptedDiscord, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(discord, tmp_path, *arguments)[0] == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_export_keeps_what_it_has(
    discord: ScriptedDiscord, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    room = Room(discord=discord, message_ids=list(range(1, 301)))
    room.open()
    discord.on(
        "channels/111/messages",
        lambda query: (
            Reply(status=429, headers={"Retry-After": "600"}) if query.get("after") == "200" else room.page(query)
        ),
    )

    with start(discord, tmp_path, "111", "--output", "export.json") as process:
        while not any(seen.query.get("after") == "200" for seen in discord.requests):
            time.sleep(0.02)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)

    assert process.returncode == code
    assert "200 messages" in err
    text = (tmp_path / "export.json").read_text()
    assert len(json.loads(text + "\n  ]\n}")["messages"]) == 200
