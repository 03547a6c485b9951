"""What a scrape costs beside the network.

``python -m benchmarks.bench_scrape noop --channels 500 --size-mb 10`` makes an archive of that many channel files and
scrapes it twice with an exporter that finds nothing new: the first pass has no records yet and reads everything once,
the second is the everyday one. It tells the time a channel and the bytes read (from ``/proc/self/io``), beside ``cat``
of the same files.

``python -m benchmarks.bench_scrape whole --channels 20 --messages 50000`` scrapes a simulated guild over real HTTP with
``dce-play run scrape`` as its own process, and tells messages a second.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.generate import CHANNEL_ID, count_for, write_export
from dce_play.discord.exporters.protocol import (
    ChannelListing,
    Completeness,
    ExportOutcome,
    ExportProgress,
    ExportRequest,
    GuildListing,
)
from dce_play.discord.scrape.outcome import ChannelOutcome
from dce_play.discord.scrape.target import Job, scrape_target
from dce_play.discord.scrape.tools import Policies, Tools
from dce_play.discord.simulator.server import running_simulator
from dce_play.discord.simulator.worlds import Size, build_world
from dce_play.discord.targets.model import Target
from dce_play.snowflake import ChannelId, GuildId, MessageId
from dce_play.system.clock import SystemClock
from tests.support.simulated_scrape import scrape_environment, write_targets

FIRST_CHANNEL = 700_000_000_000_000_000


class NothingNew:
    """An exporter that finds nothing newer than the cursor, at once."""

    name = "nothing_new"

    def __init__(self, empty: bytes) -> None:
        self._empty = empty

    def version(self) -> str:
        return "1"

    def export(
        self,
        request: ExportRequest,
        /,
        *,
        on_progress: Callable[[ExportProgress], None],  # noqa: ARG002 - the protocol's
        cancelled: Callable[[], bool],  # noqa: ARG002 - the protocol's
    ) -> ExportOutcome:
        request.output.write_bytes(self._empty.replace(CHANNEL_ID.encode(), request.channel_id.encode()))
        return ExportOutcome(completeness=Completeness.COMPLETE, message_count=0, last_id=None)

    def probe(self, channel_id: ChannelId, after: MessageId | None, /) -> None:
        pass

    def guilds(self) -> list[GuildListing]:
        return []

    def channels(self, guild_id: GuildId, /, *, threads: str, voice: bool) -> list[ChannelListing]:  # noqa: ARG002
        return []

    def direct_messages(self) -> list[ChannelListing]:
        return []


class Silent:
    """A listener that does nothing."""

    def chose(self, channel_count: int, /) -> None:
        pass

    def began(self, channel_id: ChannelId, line: str, _name: str, _after: MessageId | None, /) -> None:
        pass

    def progressed(self, channel_id: ChannelId, progress: ExportProgress, /) -> None:
        pass

    def ended(self, outcome: ChannelOutcome, /) -> None:
        assert outcome.action.value == "UNCHANGED", outcome

    def missed(self, channels: Mapping[ChannelId, str], line: str, /) -> None:
        pass

    def noted(self, line: str, /) -> None:
        pass


def bytes_read() -> int:
    """Return how many bytes this process has read so far, cached ones included."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["rchar"])


def noop(channels: int, size_mb: int, folder: Path) -> None:
    archive = folder / "archives" / "demo"
    archive.mkdir(parents=True)
    sample = folder / "sample.json"
    write_export(sample, range(count_for(size_mb << 20)))
    body = sample.read_bytes()
    for number in range(channels):
        channel = str(FIRST_CHANNEL + number)
        (archive / f"G - c{number} [{channel}].json").write_bytes(body.replace(CHANNEL_ID.encode(), channel.encode()))
    empty = folder / "empty.json"
    write_export(empty, range(0))
    os.sync()
    total = channels * len(body)
    print(f"{channels} channel files, {total / 1e9:.2f} GB in all")
    begun = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", f"cat {archive}/*.json > /dev/null"], check=True)
    print(f"{'cat of all files':<28} {time.perf_counter() - begun:8.2f} s")
    tools = Tools(
        exporter=NothingNew(empty.read_bytes()),
        clock=SystemClock(),
        run_id="bench",
        environment={},
        listener=Silent(),
        cancelled=lambda: False,
        policies=Policies(),
    )
    job = Job(target=Target(name="demo", output_dir=archive))
    for title in ("first pass, no records", "second pass", "third pass"):
        read, begun = bytes_read(), time.perf_counter()
        scrape_target(job, tools, refresh=lambda: None)
        took, read = time.perf_counter() - begun, bytes_read() - read
        print(
            f"{title:<28} {took:8.2f} s  {1000 * took / channels:7.2f} ms a channel  {read / 1e6:10.1f} MB read"
            f"  {100 * read / total:6.2f} % of the archive"
        )
    print(f"{'peak memory':<28} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MiB")


def whole(channels: int, messages: int, folder: Path) -> None:
    world = build_world(1, size=Size(channels=channels, messages=messages // channels))
    with running_simulator(world) as simulator:
        write_targets(folder, guild_ids=list(world.guilds))
        environment = scrape_environment(folder, simulator)
        for parallel in (1, 4):
            words = ["run", "scrape", "--skip-preflight", "--parallel", str(parallel), "--target", "demo"]
            begun = time.perf_counter()
            before = len(simulator.requests)
            subprocess.run(
                [sys.executable, "-m", "dce_play", *words],
                cwd=folder,
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            took = time.perf_counter() - begun
            asked = len(simulator.requests) - before
            print(f"{parallel} at a time: {took:6.2f} s  {messages / took:8.0f} messages/s  {asked} requests")
            subprocess.run(["/bin/rm", "-r", str(folder / "archives")], check=True)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"peak memory {children:8.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["noop", "whole"])
    parser.add_argument("--channels", type=int, default=50)
    parser.add_argument("--size-mb", type=int, default=10)
    parser.add_argument("--messages", type=int, default=50_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-scrape-") as folder:
        if given.what == "noop":
            noop(given.channels, given.size_mb, Path(folder))
        else:
            whole(given.channels, given.messages, Path(folder))


if __name__ == "__main__":
    main()
