"""One channel: cursor, export into a temp, checks, append, clean-up."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from dce_play.discord.archive.append.append import AppendOptions, append
from dce_play.discord.archive.append.create import publish_first
from dce_play.discord.archive.folder.channel_map import ChannelMap, check_channel
from dce_play.discord.archive.folder.temps import ODD_NAME, RAW_NAME, Temp, end_ownership, new_temp, remove
from dce_play.discord.archive.records.cursor import Cursor, read_cursor, remember
from dce_play.discord.archive.records.recover import recover_channel
from dce_play.discord.archive.records.write_errors import NotEnoughSpace
from dce_play.discord.archive.salvage.salvage import salvage_target
from dce_play.discord.archive.scan.head import Head, read_head
from dce_play.discord.exporters.protocol import (
    AuthenticationFailed,
    ChannelSkipped,
    Completeness,
    DiskFull,
    ExportAborted,
    ExportCancelled,
    ExportOutcome,
    ExportRequest,
)
from dce_play.discord.scrape.beside import format_for, keep_odd, keep_raw
from dce_play.discord.scrape.channels import ChosenChannel
from dce_play.discord.scrape.future import check_not_future
from dce_play.discord.scrape.media_beside import queue_file, queue_messages
from dce_play.discord.scrape.outcome import ChannelAction, ChannelOutcome
from dce_play.discord.scrape.tools import Tools
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.disk import FULL, unwritten
from dce_play.system.lock.file_lock import flock_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a target's channels go. Shared by the threads that scrape them."""

    target: str
    layout: TargetLayout
    channel_map: ChannelMap
    map_lock: Lock
    stale: frozenset[ChannelId]
    """The channels of which an earlier run left an export."""


class RunMustStop(Exception):
    """Something that concerns every channel: a dead token, a full disk, somebody who wants the run to end."""

    def __init__(self, cause: DcePlayError, outcome: ChannelOutcome) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.outcome = outcome
        """What can be said of the channel that met it."""


def scrape_channel(place: Place, chosen: ChosenChannel, tools: Tools) -> ChannelOutcome:
    """Bring one channel's file up to date and return what came of it.

    A failure that concerns this channel alone is an outcome, too.
    Raises: RunMustStop.
    """
    return _ChannelScrape(place, chosen, tools).run()


class _ChannelScrape:
    """The facts about one channel as they come to be known."""

    def __init__(self, place: Place, chosen: ChosenChannel, tools: Tools) -> None:
        self._place = place
        self._chosen = chosen
        self._tools = tools
        self._started = tools.clock.monotonic()
        self._outcome = ChannelOutcome(
            target=place.target,
            channel_id=chosen.channel_id,
            action=ChannelAction.NOT_TRIED,
            name=chosen.own_name,
            counts=chosen.exportable,
        )

    def run(self) -> ChannelOutcome:
        try:
            if self._chosen.exportable:
                self._scrape()
            else:
                self._note(action=ChannelAction.SKIPPED, reason="forum: its threads are channels of their own")
        except ChannelSkipped as error:
            self._note(action=ChannelAction.SKIPPED, reason=error.reason.value)
        except ExportAborted as error:
            action = ChannelAction.SKIPPED_OOM if error.out_of_memory else ChannelAction.SKIPPED
            self._note(action=action, reason=f"aborted (exit {error.exit_code_seen})", unfinished=True)
        except (AuthenticationFailed, DiskFull, ExportCancelled, NotEnoughSpace) as error:
            self._note(reason=str(error))
            raise RunMustStop(error, self._timed()) from error
        except DcePlayError as error:
            reason = f"{error}{f' ({error.hint})' if error.hint else ''}"
            self._note(action=ChannelAction.FAILED, reason=reason, error=error)
        except OSError as error:
            if error.errno not in FULL:
                self._note(action=ChannelAction.FAILED, reason=unwritten(error, self._place.layout.folder))
            else:
                full = DiskFull(f"no space left for channel {self._chosen.channel_id}", hint="free some and run again")
                self._note(reason=str(full))
                raise RunMustStop(full, self._timed()) from error
        return self._timed()

    def _scrape(self) -> None:
        tools, place, channel_id = self._tools, self._place, self._chosen.channel_id
        archive, cursor = self._prepare()
        self._announce(archive, cursor)
        temp = new_temp(place.layout, channel_id, cursor=cursor, now=tools.clock.now())
        placed = False
        try:
            exported = tools.exporter.export(
                self._request(temp, archive, cursor),
                on_progress=lambda progress: tools.listener.progressed(channel_id, progress),
                cancelled=tools.cancelled,
            )
            self._take_aside(temp, exported)
            if exported.message_count == 0 and not temp.export.exists():  # DCE up to 2.43 writes no empty file
                placed = self._append(archive, temp, exported) if archive else self._nothing_yet()
                return
            head = check_channel(temp.export, channel_id)
            self._note(
                fetched_count=exported.message_count,
                fetched_bytes=temp.export.stat().st_size,
                **_named(head),
                unproven=exported.completeness is Completeness.UNPROVEN,
            )
            placed = self._create(temp, head, exported) if archive is None else self._append(archive, temp, exported)
            self._queue_media(cursor)
        finally:
            self._clean_up(temp, placed=placed)

    def _queue_media(self, after: MessageId | None) -> None:
        tools = self._tools
        queue_file(
            tools.media,
            self._outcome.file_path,
            self._chosen.channel_id,
            exporter=tools.exporter.name,
            after=after,
            note=tools.listener.noted,
        )

    def _request(self, temp: Temp, archive: Path | None, cursor: MessageId | None) -> ExportRequest:
        policies = self._tools.policies
        return ExportRequest(
            channel_id=self._chosen.channel_id,
            output=temp.export,
            after=cursor,
            lock_fds=self._tools.lock_fds,
            format=format_for(archive, policies.format),
            odd=temp.place / ODD_NAME,
            stop_at_odd=policies.stop_at_odd,
            raw=temp.place / RAW_NAME if policies.raw else None,
            on_message=queue_messages(self._tools.media, self._chosen.channel_id),
        )

    def _take_aside(self, temp: Temp, exported: ExportOutcome) -> None:
        """Make durable what goes beside the channel file, and refuse an export that ends in the future."""
        channel_id, layout = self._chosen.channel_id, self._place.layout
        check_not_future(channel_id, exported.last_id, self._tools.clock.now())
        keep_raw(layout, channel_id, temp)
        if not exported.odd:
            return
        keep_odd(layout, channel_id, temp)
        self._note(odd=exported.odd)
        for odd in exported.odd:
            self._tools.listener.noted(
                f"WARN: message {odd.message_id} of channel {channel_id} is not in its file ({odd.reason}); "
                f"kept as it came in {layout.odd(channel_id)}"
            )

    def _prepare(self) -> tuple[Path | None, MessageId | None]:
        """Finish or undo what an earlier run left, and return the channel file and its cursor."""
        place, channel_id = self._place, self._chosen.channel_id
        recover_channel(place.layout, channel_id)
        archive = self._existing()
        before = self._remember_cursor(archive)
        self._note(before_count=before, after_count=before)
        if self._salvage():
            archive = self._existing()
            after = self._remember_cursor(archive)
            self._note(salvaged_count=after - before, after_count=after)
        return archive, self._outcome.cursor_before

    def _salvage(self) -> bool:
        """Put what dead runs left of this channel into its file; return whether that added messages.

        Salvage reads and writes the channel map on its own, so nobody else may use it meanwhile.
        """
        place, channel_id = self._place, self._chosen.channel_id
        if channel_id not in place.stale:
            return False
        with place.map_lock:
            report = salvage_target(
                place.layout,
                channels=(channel_id,),
                run_id=self._tools.run_id,
                clock=self._tools.clock,
                environment=self._tools.environment,
            )
            for item in report.items:
                if item.archive is not None:
                    place.channel_map.remember(channel_id, item.archive)
        for line in report.lines:
            self._tools.listener.noted(line)
        if report.stopped is not None:
            raise report.stopped
        return report.messages_added > 0

    def _existing(self) -> Path | None:
        with self._place.map_lock:
            return self._place.channel_map.destination(self._chosen.channel_id)

    def _remember_cursor(self, archive: Path | None) -> int:
        if archive is None:
            return 0
        cursor = self._cursor(archive)
        check_not_future(self._chosen.channel_id, cursor.last_id, self._tools.clock.now())
        self._note(
            file_path=archive,
            **_named(read_head(archive)),
            cursor_before=cursor.last_id,
            cursor_after=cursor.last_id,
        )
        return cursor.message_count

    def _cursor(self, archive: Path) -> Cursor:
        """Return the cursor; one that took a scan is recorded, so that the next run need not read the file."""
        layout = self._place.layout
        with flock_file(archive):
            cursor = read_cursor(archive, layout=layout)
            if not cursor.recorded:
                remember(archive, cursor, layout=layout)
        return cursor

    def _create(self, temp: Temp, head: Head, exported: ExportOutcome) -> bool:
        place, channel_id = self._place, self._chosen.channel_id
        with place.map_lock:
            archive = place.channel_map.new_destination(channel_id, head)
            publish_first(temp.export, archive, self._options(), layout=place.layout, clock=self._tools.clock)
            place.channel_map.remember(channel_id, archive)
        self._note(
            action=ChannelAction.CREATED,
            file_path=archive,
            after_count=exported.message_count,
            cursor_after=exported.last_id,
        )
        return True

    def _nothing_yet(self) -> bool:
        self._note(action=ChannelAction.SKIPPED, reason="empty")
        return True

    def _append(self, archive: Path, temp: Temp, exported: ExportOutcome) -> bool:
        if exported.message_count == 0:
            changed = self._outcome.salvaged_count > 0
            self._note(action=ChannelAction.MERGED if changed else ChannelAction.UNCHANGED)
            return True
        done = append(archive, [temp.export], self._options(), layout=self._place.layout, clock=self._tools.clock)
        grown = done.after_count > self._outcome.before_count
        action = ChannelAction.MERGED if grown else ChannelAction.UPDATED if done.edited else ChannelAction.UNCHANGED
        self._note(
            action=action,
            after_count=done.after_count,
            edit_count=done.edited,
            cursor_after=done.last_id,
            behind=bool(done.behind),
        )
        with self._place.map_lock:
            self._place.channel_map.remember(self._chosen.channel_id, archive)
        return not done.behind

    def _clean_up(self, temp: Temp, *, placed: bool) -> None:
        """Remove the temp when all of it is placed, or nothing came; else leave it for salvage, and say where."""
        if placed or not temp.export.exists() or temp.export.stat().st_size == 0:
            remove(temp)
            return
        with contextlib.suppress(OSError):  # the partial matters more, and its own failure is told already
            keep_odd(self._place.layout, self._chosen.channel_id, temp)
            keep_raw(self._place.layout, self._chosen.channel_id, temp)
        end_ownership(temp, now=self._tools.clock.now())
        self._note(temp_kept=temp.place)
        self._tools.listener.noted(f"Preserving partial export temp for salvage on next run: {temp.place}")

    def _announce(self, archive: Path | None, cursor: MessageId | None) -> None:
        after = f" after message {cursor}" if cursor else ""
        into = f" → {archive}" if archive else ""
        line = f"Exporting channel {self._chosen.channel_id} for target '{self._place.target}'{after}{into}"
        self._tools.listener.began(self._chosen.channel_id, line, self._outcome.name, cursor)

    def _options(self) -> AppendOptions:
        policies = self._tools.policies
        return AppendOptions(
            run_id=self._tools.run_id,
            exporter=self._tools.exporter.name,
            exporter_version=self._tools.exporter.version(),
            edits=policies.edits,
            holes=policies.holes,
            reader_safe=policies.reader_safe,
            channel_id=ChannelId(self._chosen.channel_id),
        )

    def _note(self, **facts: object) -> None:
        self._outcome = replace(self._outcome, **facts)  # type: ignore[arg-type]  # names are the outcome's fields

    def _timed(self) -> ChannelOutcome:
        return replace(self._outcome, duration_s=self._tools.clock.monotonic() - self._started)


def _named(head: Head) -> dict[str, str]:
    return {"guild_label": f"{head.guild_name} [{head.guild_id}]", "name": head.channel_name}
