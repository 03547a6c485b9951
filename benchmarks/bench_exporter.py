"""Messages a second and memory of our own exporter, against what the same server can serve at all.

``python -m benchmarks.bench_exporter --messages 20000`` starts a simulated Discord in a process of its own, reads all
pages of one channel raw, then exports the channel, and tells both rates and the peak memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from dce_play.discord.exporters.discord_api.exporter import DiscordApiExporter
from dce_play.discord.exporters.discord_api.rest.client import ClientLimits
from dce_play.discord.exporters.protocol import ExportRequest
from dce_play.snowflake import ChannelId, GuildId
from dce_play.system.clock import SystemClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A simulated Discord."""

    base_url: str
    token: str
    guild_id: GuildId


@contextmanager
def simulated_discord(messages: int) -> Iterator[Server]:
    """Run a simulator until the block ends."""
    argv = [sys.executable, "-u", "-m", "dce_play", "simulate", "--messages", str(messages)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        facts: dict[str, str] = {}
        for line in process.stdout:
            name, _, value = line.partition(":")
            facts[name] = value.strip()
            if line.startswith("Ctrl+C"):
                break
        try:
            yield Server(
                base_url=facts["base URL"],
                token=facts["user token"],
                guild_id=GuildId(facts["guild"].split()[0]),
            )
        finally:
            process.terminate()


def read_raw(server: Server, channel_id: ChannelId, *, reaction_users: bool) -> tuple[int, int]:
    """Return how many messages and requests all pages take, parsing no more than the next request needs."""
    after, messages, requests = 0, 0, 0
    with httpx2.Client(headers={"Authorization": server.token}, trust_env=False) as client:
        while True:
            url = f"{server.base_url}/channels/{channel_id}/messages?limit=100&after={after}"
            page = json.loads(client.get(url).content)
            requests += 1
            if not page:
                return messages, requests
            messages += len(page)
            for path in _reactions(page) if reaction_users else ():
                client.get(f"{server.base_url}/channels/{channel_id}/messages/{path}?limit=100&after=0").read()
                requests += 1
            after = max(int(message["id"]) for message in page)


def _reactions(page: list[dict[str, Any]]) -> Iterator[str]:
    for message in page:
        for reaction in message.get("reactions", ()):
            emoji = reaction["emoji"]
            key = ":".join(part for part in (emoji["name"], emoji["id"]) if part)
            yield f"{message['id']}/reactions/{quote(key, safe='')}"


def peak_mib() -> float:
    """Return this process's peak memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--reaction-users", action="store_true", help="ask who reacted")
    arguments = parser.parse_args()
    limits = ClientLimits(per_second=None)
    with simulated_discord(arguments.messages) as server, tempfile.TemporaryDirectory() as folder:
        exporter = DiscordApiExporter(
            server.base_url,
            server.token,
            clock=SystemClock(),
            limits=limits,
            reaction_users=arguments.reaction_users,
        )
        channel_id = exporter.channels(server.guild_id, threads="none", voice=False)[0].channel_id
        began = time.perf_counter()
        messages, requests = read_raw(server, channel_id, reaction_users=arguments.reaction_users)
        raw_s = time.perf_counter() - began
        before_mib = peak_mib()
        output = Path(folder) / "export.json"
        began, cpu = time.perf_counter(), time.process_time()
        outcome = exporter.export(
            ExportRequest(channel_id=channel_id, output=output), on_progress=lambda _: None, cancelled=lambda: False
        )
        export_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        assert outcome.message_count == messages
        print(f"server alone: {messages / raw_s:8,.0f} messages/s ({requests:,} requests)")
        print(f"exporter:     {messages / export_s:8,.0f} messages/s ({outcome.request_count:,} requests)")
        print(f"export takes: {export_s / raw_s:8.2f} times as long as serving alone")
        print(f"own time:     {cpu_s / messages * 1e6:8,.1f} us/message of {export_s / messages * 1e6:,.1f}")
        print(f"file:         {output.stat().st_size / 2**20:8,.1f} MiB")
        print(f"peak memory:  {before_mib:8,.1f} MiB before, {peak_mib():,.1f} MiB after the export")


if __name__ == "__main__":
    main()
