"""The commands of docs/how-to/keep-media.md, run as they stand there against the simulated Discord."""

import json
import re
from pathlib import Path

import pytest

from dce_play.discord.simulator.server import running_simulator
from dce_play.discord.simulator.worlds import Size, build_world
from tests.support.command_line import terminal_in
from tests.support.pages import PAGES, run_command

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.contract("M7")
def test_the_pages_commands_work_as_typed(tmp_path: Path) -> None:
    text = (PAGES / "keep-media.md").read_text(encoding="utf-8")
    commands = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    commands += re.findall(r"`(dce-play media (?:retry|export)[^`]*)`", text)
    assert len(commands) == 5
    with running_simulator(build_world(1, size=Size(channels=1, messages=60)), media=True) as simulator:
        terminal = terminal_in(
            tmp_path,
            DCE_DISCORD_CDN_BASE=simulator.cdn_base,
            DCE_DISCORD_API_BASE=simulator.base_url,
            DISCORD_TOKEN=simulator.token,
        )
        target = tmp_path / "archive" / "my-server"
        guild = next(iter(simulator.world.guilds))
        entry = {"name": "my-server", "output_dir": str(target), "guild_ids": [guild]}
        for media in ("off", "attachments"):
            whole = {"archive_root": str(target.parent), "targets": [entry | {"media": media}]}
            terminal.write("scrape-targets.json", json.dumps(whole))
            if media == "off":
                assert terminal.run("run", "scrape").code == 0
        (channel,) = target.glob("*.json")
        said = [
            run_command(each.replace("CHANNEL_FILE", f"'{channel}'").replace("OUTDIR", "out"), terminal, {})
            for each in commands
        ]
        assert re.search(r"kept \d+ media", said[0]), said[0]
        assert "media: attachments" in said[1]
        assert "media are sound" in said[2]
        assert list((terminal.folder / "out").glob("*_Files/*.png"))
