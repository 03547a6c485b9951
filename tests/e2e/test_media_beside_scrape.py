"""Media fetched beside a scrape: the simulated Discord's pages, and a media server that has what they name."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.worlds import Size, build_world
from tests.support.command_line import Said, Terminal, terminal_in
from tests.support.media_server import MediaServer, media_server


def _forward(server: MediaServer, simulator: Simulator, *, served: bool) -> None:
    """Answer API calls as the simulator does, with attachments of the size of their path, which is what they hold."""

    def api(handler: Any) -> None:
        request = urllib.request.Request(simulator.base_url.removesuffix("/api/v10") + handler.path)  # noqa: S310 - the simulator
        request.add_header("Authorization", handler.headers["Authorization"])
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the simulator
                status, value = answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            status, value = error.code, json.load(error)
        for message in value if isinstance(value, list) else ():
            for attachment in message.get("attachments", ()):
                path = urlsplit(attachment["url"]).path
                attachment["url"] = f"https://cdn.discordapp.com{path}?ex=7fffffff&is=1&hm=good&"
                attachment["size"] = len(path.encode())
                if served:
                    server.files[quote(path)] = path.encode()
        handler.answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    server.api = api


def _scrape(folder: Path, server: MediaServer, simulator: Simulator, *words: str) -> tuple[Said, Path, Terminal]:
    target = folder / "archive" / "t"
    terminal = terminal_in(
        folder,
        DCE_DISCORD_CDN_BASE=server.base,
        DCE_DISCORD_API_BASE=f"{server.base}/api/v10",
        DISCORD_TOKEN=simulator.token,
    )
    guild = next(iter(simulator.world.guilds))
    entry = {"name": "t", "output_dir": str(target), "guild_ids": [guild], "media": "attachments", "media_jobs": 8}
    terminal.write("scrape-targets.json", json.dumps({"archive_root": str(target.parent), "targets": [entry]}))
    terminal.write(
        "p.yml",
        "version: 1\nname: p\nsteps:\n  - name: scrape\n    scrape.run: {target: t"
        + "".join(f", {word}" for word in words)
        + "}\n",
    )
    return terminal.run("run", "p.yml"), target, terminal


@pytest.mark.contract("M4", "M5")
@pytest.mark.parametrize("served", [True, False])
def test_a_scrape_keeps_what_its_pages_name_and_missing_media_fail_nothing(tmp_path: Path, served: bool) -> None:
    world = build_world(1, size=Size(channels=1, messages=60))
    with running_simulator(world) as simulator, media_server() as server:
        _forward(server, simulator, served=served)
        said, target, terminal = _scrape(tmp_path, server, simulator)
        assert said.code == 0, said.out + said.err
        lines = [json.loads(line) for line in (target / ".dce-media" / "media.jsonl").read_text().splitlines()]
        assert lines, said.out + said.err
        assert {line["state"] for line in lines} == {"kept" if served else "gone"}
        assert ("media missing" in said.out + said.err) is not served
        assert list(target.glob("*.json"))
        assert terminal.run("media", "verify", "t", "--deep").code == 0
