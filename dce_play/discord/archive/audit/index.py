"""What earlier audits saw of each channel file: in the state folder, never in the archive.

An entry lets an audit skip a file that did not change, read only what our own appends added, and name the block of a
file whose old bytes changed though nobody wrote it. Only sound files have one.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dce_play.discord.archive.records.records import AppendLine
from dce_play.layout import state_folder
from dce_play.snowflake import ChannelId
from dce_play.system.durable.disk import FileFacts
from dce_play.system.durable.unkept import can_keep, tell_unkept
from dce_play.system.durable.whole_files import write_atomic

FORMAT = 1
INDEX = "the audit's index"
_SETTLED_NS = 20_000_000
"""A file that changed so shortly before it was read may change again within one tick of the kernel's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One sound channel file as an audit saw it."""

    path: str
    channel_id: ChannelId
    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    read_at_ns: int
    cut: int
    """Just past the last message."""
    message_count: int
    first_id: str | None
    last_id: str | None
    full_at: str
    """When every byte was read."""
    read_at: str
    """When the newest messages were read."""
    appends_seen: int
    """How many lines of ``appends.jsonl`` the channel had."""
    blocks: tuple[str, ...]
    """Hashes of the bytes before ``hashed``."""
    hashed: int
    suspect: bool = False
    """Whether bytes were found changed since: nothing is taken for granted until a full reading finds them again."""

    def is_of(self, facts: FileFacts) -> bool:
        """Return whether nothing about the file has changed since, as far as the kernel tells."""
        mine = (self.device, self.inode, self.size_bytes, self.mtime_ns, self.ctime_ns)
        theirs = (facts.device, facts.inode, facts.size_bytes, facts.mtime_ns, facts.ctime_ns)
        return not self.suspect and mine == theirs and self.read_at_ns - self.ctime_ns >= _SETTLED_NS

    def grown_by(self, lines: Sequence[AppendLine], cut: int) -> bool:
        """Return whether the channel's append lines since then lead, without a gap, from the old cut to this one."""
        if self.suspect:
            return False
        at = self.cut
        for line in lines[self.appends_seen :]:
            if line.kind != "appended" or line.cut_before != at:
                return False
            at = line.cut_after
        return at == cut and len(lines) > self.appends_seen

    def rewritten_by(self, lines: Sequence[AppendLine]) -> bool:
        """Return whether one of our own commands has written the file anew since then."""
        return any(line.kind != "appended" for line in lines[self.appends_seen :])


class AuditIndex:
    """The entries, one small file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, path: Path) -> AuditEntry | None:
        """Return what was seen of a file, or ``None``."""
        try:
            value = json.loads(self._place(path).read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(value, dict) or value.pop("version", None) != FORMAT or value.get("path") != name_of(path):
            return None
        try:
            return AuditEntry(**(value | {"blocks": tuple(value["blocks"])}))
        except (KeyError, TypeError):
            return None

    def put(self, path: Path, entry: AuditEntry) -> None:
        """Keep what was seen of a file, where that can be."""
        if not can_keep(self.folder, INDEX):
            return
        data = json.dumps({"version": FORMAT} | asdict(entry)).encode("ascii")
        try:
            write_atomic(self._place(path), data, durable=False)
        except OSError as error:
            tell_unkept(INDEX, f"{self.folder}: {(error.strerror or str(error)).lower()}")

    def forget(self, path: Path) -> None:
        """Keep nothing of a file that is not sound."""
        with suppress(OSError):  # where nothing can be removed, nothing could be written
            self._place(path).unlink(missing_ok=True)

    def _place(self, path: Path) -> Path:
        return self.folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"


def index_in(environment: Mapping[str, str]) -> AuditIndex | None:
    """Return the index in our state folder; ``None``, told once, where there can be none."""
    folder = state_folder(environment) / "audit"
    return AuditIndex(folder) if can_keep(folder, INDEX) else None


def name_of(path: Path) -> str:
    """Return a path as text that JSON can hold, whatever bytes are in it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
