"""Salvage: the messages of exports that dead runs left behind go into the archive. No token, no network, no targets.

Each left export is decided on by itself, and nothing that may hold messages is ever deleted: it is put into the
archive, or moved into quarantine, or kept for a person, with a line that says so. Killed at any moment, a salvage is
simply run again. The decision table: docs/design/proof-and-salvage.md.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from dce_play.discord.archive.append.append import AppendOptions, AppendOutcome, append, plan_append
from dce_play.discord.archive.append.create import publish_first
from dce_play.discord.archive.append.delta import ForeignChannel
from dce_play.discord.archive.folder.channel_map import ArchiveDisappeared, ChannelMap
from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.folder.temps import (
    WHOLE_NAME,
    Activity,
    Temp,
    activity,
    list_temps,
    open_files,
    quarantine,
    remove,
)
from dce_play.discord.archive.records.write_errors import WriteFailed
from dce_play.discord.archive.salvage.repair import NothingToRecover, salvage_file
from dce_play.discord.archive.salvage.report import Fate, SalvageItem, SalvageReport
from dce_play.discord.archive.salvage.whole import WholeExport, open_whole
from dce_play.errors import DcePlayError, UsageError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.clock import Clock
from dce_play.system.counted import counted

DEFAULT_MIN_AGE_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvagePolicy:
    """When a left export counts as dead."""

    min_age: timedelta = timedelta(seconds=DEFAULT_MIN_AGE_S)
    """How long one without a known owner must have been left alone."""
    take_active: bool = False
    """Whether age does not matter. A living owner, and a process that has it open, always do."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "SalvagePolicy":
        """Return what ``DCE_STALE_TEMP_MIN_AGE_SECONDS`` and ``DCE_SALVAGE_ACTIVE_TEMPS`` ask for."""
        text = environment.get("DCE_STALE_TEMP_MIN_AGE_SECONDS") or str(DEFAULT_MIN_AGE_S)
        if not (text.isascii() and text.isdecimal()):
            raise UsageError(f"DCE_STALE_TEMP_MIN_AGE_SECONDS is not a number of seconds: {text!r}", hint="such as 120")
        return cls(min_age=timedelta(seconds=int(text)), take_active=environment.get("DCE_SALVAGE_ACTIVE_TEMPS") == "1")


def salvage_target(
    layout: TargetLayout,
    *,
    run_id: str,
    clock: Clock,
    environment: Mapping[str, str],
    channels: Collection[ChannelId] = (),
    dry_run: bool = False,
) -> SalvageReport:
    """Put what dead runs left in a target's folder into its archives, oldest first, and report on each.

    The archive's lock is held by the caller. With ``dry_run`` the same is decided and nothing is written.
    """
    temps = list_temps(layout, channels=channels)
    if not temps:
        return SalvageReport()
    salvage = _Salvage(
        layout,
        policy=SalvagePolicy.from_environment(environment),
        run_id=run_id,
        clock=clock,
        dry_run=dry_run,
        known={temp.channel_id for temp in temps},
    )
    items: list[SalvageItem] = []
    for temp in temps:
        try:
            items.append(salvage.decide(temp))
        except WriteFailed as error:
            items.append(_item(temp, Fate.RETAINED, f"Stale temp merge failed, retaining for retry: {{}}: {error}"))
            return SalvageReport(items=tuple(items), stopped=error)
        except (ValueError, LookupError, RecursionError) as error:  # one odd file never ends the others
            items.append(_retained(temp, error))
    return SalvageReport(items=tuple(items))


class _Salvage:
    """One pass over a target's left exports."""

    def __init__(
        self,
        layout: TargetLayout,
        *,
        policy: SalvagePolicy,
        run_id: str,
        clock: Clock,
        dry_run: bool,
        known: Collection[ChannelId],
    ) -> None:
        self._layout = layout
        self._policy = policy
        self._run_id = run_id
        self._clock = clock
        self._dry_run = dry_run
        self._known = known
        self._open_files = open_files()

    @cached_property
    def _map(self) -> ChannelMap:
        return ChannelMap(self._layout, known=self._known)

    def decide(self, temp: Temp) -> SalvageItem:
        """Do what is to be done about one left export.

        Raises: WriteFailed.
        """
        state = self._activity(temp)
        if state.active:
            return _item(temp, Fate.ACTIVE, f"Stale temp still active ({state.why}), skipping salvage: {{}}")
        if not temp.export.is_file() or temp.export.stat().st_size == 0:
            if temp.holds_other_files():
                return self._quarantine(temp, "no-export", "there is no export in it, but other files are")
            return self._discard(temp, "Stale temp is empty, discarding: {}")
        try:
            with open_whole(temp.export) as whole:
                return self._place(temp, whole)
        except NothingToRecover as error:
            return self._quarantine(temp, "unsalvageable", str(error))
        except ForeignChannel as error:
            return self._quarantine(temp, "wrong-guild", str(error))
        except WriteFailed:
            raise
        except (DcePlayError, OSError) as error:
            return _retained(temp, error)

    def _activity(self, temp: Temp) -> Activity:
        min_age = None if self._policy.take_active else self._policy.min_age
        return activity(temp, now=self._clock.now(), min_age=min_age, open_files=self._open_files)

    def _place(self, temp: Temp, whole: WholeExport) -> SalvageItem:
        boundary = whole.boundary
        found = boundary.head.channel_id
        if found != temp.channel_id:
            return self._quarantine(temp, "wrong-channel", f"{found} != {temp.channel_id}")
        if boundary.reversed:
            return self._quarantine(temp, "newest-first", "it runs backwards, so it is no prefix of what was wanted")
        if boundary.message_count == 0:
            return self._discard(temp, "Stale temp holds no message, discarding: {}")
        try:
            archive = self._map.destination(temp.channel_id)
        except ArchiveDisappeared as error:
            if error.elsewhere is not None:
                raise
            archive = None
        if archive is None:
            return self._create(temp, whole)
        return self._append(temp, whole, archive)

    def _append(self, temp: Temp, whole: WholeExport, archive: Path) -> SalvageItem:
        options = self._options(temp)
        if self._dry_run:
            outcome = plan_append(archive, [whole.channel], options, layout=self._layout)
        else:
            outcome = append(archive, [whole.channel], options, layout=self._layout, clock=self._clock)
        added = outcome.appended + outcome.holes_filled
        if not outcome.every_id_placed:
            return _item(
                temp,
                Fate.RETAINED,
                f"Stale temp fills {counted(outcome.behind, 'hole')} not to be filled, retaining: {{}}",
                archive=archive,
            )
        if added == 0:
            return self._discard(temp, "Stale temp merged with no new messages, discarding: {}", archive=archive)
        line = f"SALVAGED {shown(archive)} (+{added} messages from stale temp, {_counts(outcome)})"
        return self._remove(temp, Fate.SALVAGED, line, archive=archive, added=added)

    def _create(self, temp: Temp, whole: WholeExport) -> SalvageItem:
        head, count = whole.boundary.head, whole.boundary.message_count
        begins = temp.owner.cursor is None if temp.owner else head.after is None
        if not begins or not temp.place.is_dir():
            line = "Stale temp is a delta of a channel that has no archive, keeping it as an orphan: {}"
            return _item(temp, Fate.ORPHAN, line)
        archive = self._map.new_destination(temp.channel_id, head)
        if not self._dry_run:
            export = temp.export if whole.boundary.complete else _write_whole(temp)
            publish_first(export, archive, self._options(temp), layout=self._layout, clock=self._clock)
            self._map.remember(temp.channel_id, archive)
        line = f"SALVAGED {shown(archive)} ({count} messages from stale temp, new archive)"
        return self._remove(temp, Fate.SALVAGED, line, archive=archive, added=count)

    def _options(self, temp: Temp) -> AppendOptions:
        return AppendOptions(run_id=self._run_id, exporter="salvage", channel_id=temp.channel_id)

    def _discard(self, temp: Temp, line: str, *, archive: Path | None = None) -> SalvageItem:
        return self._remove(temp, Fate.DISCARDED, line, archive=archive)

    def _remove(self, temp: Temp, fate: Fate, line: str, *, archive: Path | None = None, added: int = 0) -> SalvageItem:
        freed = temp.size()
        if not self._dry_run:
            if temp.holds_other_files():
                quarantine(temp, self._layout, reason="other-files", detail="its export is safe", now=self._clock.now())
                freed = 0
            else:
                remove(temp)
        return _item(temp, fate, line, archive=archive, added=added, freed=freed)

    def _quarantine(self, temp: Temp, reason: str, detail: str) -> SalvageItem:
        if not self._dry_run:
            quarantine(temp, self._layout, reason=reason, detail=detail, now=self._clock.now())
        words = _QUARANTINE_WORDS.get(reason, "cannot be used")
        return _item(temp, Fate.QUARANTINED, f"Stale temp export {words} ({detail}), moving to quarantine: {{}}")


_QUARANTINE_WORDS = {"unsalvageable": "unsalvageable", "wrong-channel": "wrong channel", "wrong-guild": "wrong guild"}


def _write_whole(temp: Temp) -> Path:
    return salvage_file(temp.export, temp.place / WHOLE_NAME).path


def _item(
    temp: Temp, fate: Fate, line: str, *, archive: Path | None = None, added: int = 0, freed: int = 0
) -> SalvageItem:
    return SalvageItem(
        place=temp.place,
        channel_id=temp.channel_id,
        fate=fate,
        line=line.replace("{}", shown(temp.place)),
        archive=archive,
        messages_added=added,
        bytes_freed=freed,
    )


def _retained(temp: Temp, error: Exception) -> SalvageItem:
    return _item(
        temp, Fate.RETAINED, f"Stale temp merge failed, retaining for retry: {{}}: {str(error) or type(error).__name__}"
    )


def _counts(outcome: AppendOutcome) -> str:
    return f"{outcome.before_count} → {outcome.after_count}"
