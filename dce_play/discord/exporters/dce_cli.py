"""Drives a DiscordChatExporter.Cli: one process for each export, probe or listing.

    exporter = CliExporter(executor, LocalLauncher(binary=installed_dce_cli(os.environ), token=token))
    exporter.export(ExportRequest(channel_id=channel, output=path), on_progress=show, cancelled=stop)

Where the process runs is a ``Launcher``'s business: on this machine, or in a container (``container``).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.exporters.classify import Ending, export_error, is_empty, is_stack, listing_error
from dce_play.discord.exporters.dce_launch import Launcher
from dce_play.discord.exporters.followed_export import FollowedExport
from dce_play.discord.exporters.listing import parse_channels, parse_direct_messages, parse_guilds
from dce_play.discord.exporters.protocol import (
    ChannelListing,
    ChannelSkipped,
    Completeness,
    ExportCancelled,
    ExportFailed,
    ExportOutcome,
    ExportProgress,
    ExportRequest,
    GuildListing,
)
from dce_play.snowflake import ChannelId, GuildId, MessageId
from dce_play.system.clock import Clock, SystemClock
from dce_play.system.process.executor import Executor, ProgramCancelled, ProgramTimedOut

_VERSION = re.compile(r"\bv?([0-9]+)\.([0-9]+)(?:\.([0-9]+))?\b")
_OLDEST = (2, 38)
_LOOK_EVERY_S = 2.0

LineSink = Callable[[str, str], None]
"""Gets the stream, ``stdout`` or ``stderr``, and one line of what DCE says, as it comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a DCE process may take: it retries a failing server for minutes in silence, and can loop for ever."""

    export_s: float = 12 * 3600.0
    stall_s: float = 1800.0
    """How long an export's file may stay as it is."""
    other_s: float = 900.0
    """For probes, listings and the version."""


class CliExporter:
    """An exporter that runs one DCE process for each thing asked of it."""

    def __init__(
        self,
        executor: Executor,
        launcher: Launcher,
        /,
        *,
        limits: Limits | None = None,
        prove: bool = False,
        on_line: LineSink | None = None,
        clock: Clock | None = None,
    ) -> None:
        """``prove`` asks once more after each export whether anything newer is there: a second, short process."""
        self._executor = executor
        self._launcher = launcher
        self._limits = limits or Limits()
        self._prove = prove
        self._on_line = on_line
        self._clock = clock or SystemClock()

    @property
    def name(self) -> str:
        return self._launcher.name

    def version(self) -> str:
        """Return DCE's version, such as ``2.46``. Raises: ExportFailed."""
        ending = self._run(("--version",), timeout_s=self._limits.other_s)
        match = _VERSION.search(ending.stdout)
        if ending.exit_code != 0 or match is None:
            raise ExportFailed(f"{self.name} does not tell its version (exit {ending.exit_code})")
        return match[0].removeprefix("v")

    def export(
        self,
        request: ExportRequest,
        /,
        *,
        on_progress: Callable[[ExportProgress], None],
        cancelled: Callable[[], bool],
    ) -> ExportOutcome:
        """Write the export file. What DCE wrote before it failed is kept, unless it holds no message."""
        if not request.output.suffix:
            raise ExportFailed(f"DCE takes {request.output} for a folder", channel_id=request.channel_id)
        self._launcher.check_output(request.output)
        follower = FollowedExport(request.output)
        watch = _Watch(follower, self._clock, stall_s=self._limits.stall_s, on_progress=on_progress, asked=cancelled)
        ending = self._run(
            export_arguments(request.channel_id, request.output, after=request.after),
            timeout_s=self._limits.export_s,
            channel_id=request.channel_id,
            watch=watch,
            pass_fds=request.lock_fds,
        )
        follower.read_on()
        error = export_error(request.channel_id, ending)
        if isinstance(error, ChannelSkipped) and follower.message_count == 0:
            request.output.unlink(missing_ok=True)
        if error is not None:
            raise error
        empty = is_empty(ending)
        if not follower.is_whole and not (empty and not request.output.exists()):
            raise ExportFailed(
                f"{request.output} is not a whole export, though DCE ended well", channel_id=request.channel_id
            )
        proved = empty or (self._prove and self._nothing_after(request.channel_id, follower.last_id))
        return ExportOutcome(
            completeness=Completeness.COMPLETE if proved else Completeness.UNPROVEN,
            message_count=follower.message_count,
            last_id=follower.last_id,
        )

    def probe(self, channel_id: ChannelId, after: MessageId | None, /) -> None:  # noqa: ARG002 - the protocol's
        """Prove that the channel can be read.

        DCE is asked for the range around the channel's own id, older than any message: it sends one request for
        messages, so that a refusal shows, and finds nothing to download.
        """
        number = int(channel_id)
        with self._launcher.scratch() as folder:
            arguments = export_arguments(
                channel_id, folder / "probe.json", after=MessageId(str(number)), before=MessageId(str(number + 1))
            )
            ending = self._run(arguments, timeout_s=self._limits.other_s, channel_id=channel_id)
        error = export_error(channel_id, ending)
        if error is not None:
            raise error

    def guilds(self) -> list[GuildListing]:
        """List the guilds that the token can see."""
        return parse_guilds(self._listing("guilds", ("guilds",)))

    def channels(self, guild_id: GuildId, /, *, threads: str, voice: bool) -> list[ChannelListing]:
        """List a guild's channels. DCE lists forums among them and does not tell kinds: see ``listing``."""
        arguments = ("channels", "--guild", guild_id, "--include-vc", str(voice).lower(), "--include-threads", threads)
        return parse_channels(self._listing(f"channels of guild {guild_id}", arguments), guild_id)

    def direct_messages(self) -> list[ChannelListing]:
        """List the conversations; a bot has none."""
        return parse_direct_messages(self._listing("direct messages", ("dm",)))

    def _listing(self, what: str, arguments: tuple[str, ...]) -> str:
        ending = self._run(arguments, timeout_s=self._limits.other_s)
        error = listing_error(what, ending)
        if error is not None:
            raise error
        return ending.stdout

    def _nothing_after(self, channel_id: ChannelId, last_id: MessageId | None) -> bool:
        if last_id is None:
            return False
        with self._launcher.scratch() as folder:
            arguments = export_arguments(channel_id, folder / "newer.json", after=last_id)
            ending = self._run(arguments, timeout_s=self._limits.other_s, channel_id=channel_id, aloud=False)
        return is_empty(ending)

    def _tell(self, stream: str, line: str) -> None:
        if self._on_line is not None and not (stream == "stderr" and is_stack(line)):
            self._on_line(stream, line)

    def _run(
        self,
        arguments: tuple[str, ...],
        *,
        timeout_s: float,
        channel_id: str = "",
        watch: "_Watch | None" = None,
        pass_fds: tuple[int, ...] = (),
        aloud: bool = True,
    ) -> Ending:
        """Run DCE; what it says of a channel that is asked only for a proof (not ``aloud``) is nobody's news."""
        try:
            with self._launcher.command(arguments, timeout_s=timeout_s, pass_fds=pass_fds) as command:
                finished = self._executor.run(
                    command, on_line=self._tell if aloud else None, cancelled=watch.stop if watch is not None else None
                )
        except ProgramTimedOut as error:
            raise ExportFailed(f"{error}: {' '.join(arguments[:3])}", channel_id=channel_id) from error
        except ProgramCancelled as error:
            if watch is not None and watch.stalled:
                raise ExportFailed(
                    f"export of channel {channel_id} wrote nothing for {self._limits.stall_s:g} s",
                    channel_id=channel_id,
                ) from error
            raise ExportCancelled("the export was stopped", channel_id=channel_id) from error
        said = finished.stdout + finished.stderr if self._launcher.merges_streams else finished.stderr
        return Ending(exit_code=finished.exit_code, stdout=finished.stdout, stderr=said)


class _Watch:
    """Looks at a growing export now and then, and says when its process has to end."""

    def __init__(
        self,
        follower: FollowedExport,
        clock: Clock,
        /,
        *,
        stall_s: float,
        on_progress: Callable[[ExportProgress], None],
        asked: Callable[[], bool],
    ) -> None:
        self.stalled = False
        self._follower = follower
        self._clock = clock
        self._stall_s = stall_s
        self._on_progress = on_progress
        self._asked = asked
        self._looked = self._grew = clock.monotonic()

    def stop(self) -> bool:
        """Return whether the process is to be ended; called several times a second."""
        now = self._clock.monotonic()
        if now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            if self._follower.read_on():
                self._grew = now
                self._on_progress(
                    ExportProgress(
                        message_count=self._follower.message_count, last_timestamp=self._follower.last_timestamp
                    )
                )
        self.stalled = now - self._grew >= self._stall_s
        return self.stalled or self._asked()


def export_arguments(
    channel_id: ChannelId, output: Path, /, *, after: MessageId | None = None, before: MessageId | None = None
) -> tuple[str, ...]:
    """Return DCE's arguments for one export. ``%`` is doubled: DCE reads its output path as a template."""
    path = str(output).replace("%", "%%")
    arguments: tuple[str, ...] = ("export", "--channel", channel_id, "--format", "Json", "--output", path)
    arguments += ("--after", after) if after is not None else ()
    arguments += ("--before", before) if before is not None else ()
    return (*arguments, "--utc")


def version_warning(version: str) -> str | None:
    """Return what an operator should know about this version of DCE, or ``None``."""
    match = _VERSION.search(version)
    if match is not None and (int(match[1]), int(match[2])) >= _OLDEST:
        return None
    oldest = ".".join(map(str, _OLDEST))
    return f"DiscordChatExporter {version} is older than {oldest}: it cannot list threads and writes no export time"
