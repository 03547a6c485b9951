"""What an audit finds: one defect at one place, its rule, and the command that repairs it."""

import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.discord.archive.scan.damage import Damage
from dce_play.snowflake import MessageId


class Rule(StrEnum):
    """The code of a kind of finding. Scripts may rely on the spelling."""

    UNREADABLE = "unreadable"
    EMPTY = "empty-file"
    TRUNCATED = "truncated"
    NOT_JSON = "not-json"
    NOT_AN_EXPORT = "not-an-export"
    TRAILING = "several-documents"
    """Something follows the end: a second document, or garbage."""
    NOT_A_MESSAGE = "not-a-message"
    TOO_LARGE = "too-large"
    NO_ID = "message-without-id"
    NO_TIMESTAMP = "message-without-timestamp"
    DUPLICATE_ID = "duplicate-id"
    NOT_SORTED = "not-sorted"
    REVERSED = "reversed"
    WRONG_COUNT = "wrong-message-count"
    NO_CHANNEL = "no-channel"
    WRONG_CHANNEL = "wrong-channel"
    """The channel in the file is not the one in its name."""
    BIT_ROT = "bit-rot"
    """Old bytes changed though nobody wrote the file."""
    TWINS = "twin-files"
    MAP_DAMAGED = "map-damaged"
    MAP_FILE_MISSING = "map-file-missing"
    MAP_FILE_FOREIGN = "map-file-foreign"
    """A map entry leads to another channel's file, or out of the target's folder."""
    FOLDER_MISSING = "folder-missing"
    APPEND_PENDING = "append-pending"
    LEFT_EXPORT = "left-export"
    LEFT_REPLACEMENT = "left-replacement"
    MEDIA_LINE_DAMAGED = "media-line-damaged"
    MEDIA_FILE_MISSING = "media-file-missing"
    MEDIA_FILE_SIZE = "media-file-size"
    MEDIA_FILE_ROTTEN = "media-file-rotten"
    MEDIA_FILE_WITHOUT_LINE = "media-file-without-line"
    MEDIA_UNREADABLE = "media-unreadable"


class Level(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    NOTE = "note"
    """Worth knowing; the archive is sound."""


_NOTES = frozenset({Rule.APPEND_PENDING, Rule.LEFT_EXPORT, Rule.LEFT_REPLACEMENT})
_SALVAGE = "dce-play archive salvage {path}"
_NORMALISE = "dce-play archive normalise {path}"
_RESTORE = "restore {path} from a backup, or move it away and scrape the channel again"
_REPAIRS = {
    Rule.UNREADABLE: "look at the permissions and the disk of {path}",
    Rule.EMPTY: "move {path} away and scrape the channel again",
    Rule.TRUNCATED: _SALVAGE,
    Rule.NOT_JSON: _SALVAGE,
    Rule.NOT_AN_EXPORT: "move {path} out of the archive",
    Rule.TRAILING: _SALVAGE,
    Rule.NOT_A_MESSAGE: _RESTORE,
    Rule.TOO_LARGE: _RESTORE,
    Rule.NO_ID: _RESTORE,
    Rule.NO_TIMESTAMP: _RESTORE,
    Rule.DUPLICATE_ID: "dce-play archive merge {path} --into {path}",
    Rule.NOT_SORTED: "dce-play archive merge {path} --into {path}",
    Rule.REVERSED: "dce-play archive merge {path} --into {path}",
    Rule.WRONG_COUNT: _NORMALISE,
    Rule.NO_CHANNEL: "move {path} out of the archive",
    Rule.WRONG_CHANNEL: "rename {path} after the channel that it holds",
    Rule.BIT_ROT: _RESTORE,
    Rule.TWINS: "dce-play archive adopt {folder}",
    Rule.MAP_DAMAGED: "move {path} away; the next run makes it anew",
    Rule.MAP_FILE_MISSING: "dce-play archive adopt {folder}",
    Rule.MAP_FILE_FOREIGN: "dce-play archive adopt {folder}",
    Rule.FOLDER_MISSING: "correct the target's folder, or scrape the target",
    Rule.APPEND_PENDING: "dce-play archive recover {folder}",
    Rule.LEFT_EXPORT: "dce-play archive salvage {folder}",
    Rule.LEFT_REPLACEMENT: "dce-play archive salvage {folder}",
    Rule.MEDIA_LINE_DAMAGED: "restore {path} from a backup",
    Rule.MEDIA_FILE_MISSING: "restore {path} from a backup, or dce-play media retry",
    Rule.MEDIA_FILE_SIZE: "restore {path} from a backup, or dce-play media retry",
    Rule.MEDIA_FILE_ROTTEN: "restore {path} from a backup, or remove it and dce-play media retry",
    Rule.MEDIA_FILE_WITHOUT_LINE: "look at {path} first; dce-play media gc --apply removes it",
    Rule.MEDIA_UNREADABLE: "look at the permissions and the disk of {path}",
}

RULE_OF_DAMAGE = {
    Damage.EMPTY: Rule.EMPTY,
    Damage.TRUNCATED: Rule.TRUNCATED,
    Damage.NOT_JSON: Rule.NOT_JSON,
    Damage.NOT_AN_EXPORT: Rule.NOT_AN_EXPORT,
    Damage.TRAILING: Rule.TRAILING,
    Damage.NOT_A_MESSAGE: Rule.NOT_A_MESSAGE,
    Damage.TOO_LARGE: Rule.TOO_LARGE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One defect."""

    rule: Rule
    path: Path
    detail: str
    offset: int | None = None
    """Byte offset in the file, where there is one."""
    message_id: MessageId | None = None
    folder: Path | None = None
    """The target's folder, where the repair needs it."""

    @property
    def level(self) -> Level:
        return Level.NOTE if self.rule in _NOTES else Level.ERROR

    @property
    def repair(self) -> str:
        """The command, or the thing to do, that puts it right."""
        folder = self.folder or self.path.parent
        return _REPAIRS[self.rule].format(path=shlex.quote(str(self.path)), folder=shlex.quote(str(folder)))
