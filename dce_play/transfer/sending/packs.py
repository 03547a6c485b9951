"""What lies packed in the outbox: made, looked at before it is sent, and made anew when it may not be sent."""

import hashlib
import shutil
import threading

from dce_play.errors import DcePlayError
from dce_play.system.clock import utc_stamp
from dce_play.system.counted import counted
from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.connection.answer import Answer
from dce_play.transfer.sending.connection.verdict import receipt_of
from dce_play.transfer.sending.episodes.episode import Meta, MetaState, changed_within, read_meta
from dce_play.transfer.sending.episodes.moves import seal_holds
from dce_play.transfer.sending.episodes.pack import Packer
from dce_play.transfer.sending.episodes.spool import PackRecord, Suffix
from dce_play.transfer.sending.log_lines import Level
from dce_play.transfer.sending.tools import Tools

_READ = 256 << 10


class NoRoom(DcePlayError):
    """The outbox has less room than ``min_free``."""


class Packs:
    """The packed episodes; threads may share it."""

    def __init__(self, tools: Tools, packer: Packer) -> None:
        self._config = tools.config
        self._spool = tools.spool
        self._backoff = tools.backoff
        self._log = tools.log
        self._clock = tools.clock
        self._moved = tools.moved
        self._packer = packer
        self._packing = threading.Lock()
        self._fresh: set[EpisodeId] = set()
        """What this process has just packed, so that its bytes need no check."""

    def sound(self, identifier: EpisodeId) -> PackRecord | None:
        """Return the record of what lies packed and may be sent; what may not leaves the outbox here."""
        tar = self._spool.file(identifier, Suffix.TAR)
        record = self._spool.read_pack(identifier)
        if record is None or not tar.exists():
            if self._spool.file(identifier, Suffix.RECEIPT).exists() or tar.exists():
                self._spool.remove_files(identifier)  # half of a packing that was cut
            return None
        if tar.stat().st_size == record.size and seal_holds(self._spool.episode(identifier), record):
            return record
        self.discard(identifier)
        return None

    def is_acknowledged(self, record: PackRecord) -> bool:
        """Return whether a receipt of this very content lies beside it; any other goes."""
        identifier = EpisodeId(record.id)
        data = self._spool.read_file(identifier, Suffix.RECEIPT)
        if data is None:
            return False
        if receipt_of(Answer(status=200, body=data), identifier) == record.manifest_digest:
            return True
        self._spool.file(identifier, Suffix.RECEIPT).unlink(missing_ok=True)
        return False

    def discard(self, identifier: EpisodeId) -> None:
        """Remove what lies packed: it rotted, or is not what the episode is now. The episode counts as new."""
        with self._spool.moving():
            self._spool.remove_files(identifier)
        self._fresh.discard(identifier)
        self._backoff.forget(identifier)
        self._log.event("ship.repacked", Level.WARNING, id=identifier)

    def is_ready(self, identifier: EpisodeId, meta: Meta) -> bool:
        """Return whether to go on: a whole meta.json, or a broken one that nobody mends any more."""
        if meta.state is MetaState.MISSING:
            return False
        if meta.state is MetaState.GOOD and self._config.ready_when == "meta":
            return True
        now_ns = int(self._clock.now().timestamp() * 1e9)
        return not changed_within(self._spool.episode(identifier), self._config.ready_quiet_s, now_ns=now_ns)

    def make(self, identifier: EpisodeId, meta: Meta) -> PackRecord:
        """Pack an episode that is ready.

        Raises: NoRoom; UnsafeMember; EpisodeChanged; OSError.
        """
        free = shutil.disk_usage(self._spool.outbox).free
        if free < self._config.min_free:
            raise NoRoom(f"{counted(free, 'byte')} free, less than min_free")
        part = self._spool.file(identifier, Suffix.PART)
        with self._packing:
            packed = self._packer.pack(self._spool.episode(identifier), identifier, part, moved=self._moved)
        record = PackRecord(
            id=identifier,
            size=packed.size,
            sha256=packed.sha256,
            manifest_digest=packed.manifest_digest,
            commit=meta.commit,
            seal=packed.seal,
            packed_at=utc_stamp(self._clock.now()),
        )
        self._spool.publish_tar(record)
        self._fresh.add(identifier)
        return record

    def make_ahead(self, identifier: EpisodeId) -> None:
        """Pack an episode that comes next while another one is sent. What goes wrong is left for its own turn."""
        try:
            if self._spool.has_reason(identifier) or self._spool.file(identifier, Suffix.PACK).exists():
                return
            meta = read_meta(self._spool.episode(identifier))
            if meta.state is MetaState.GOOD and self.is_ready(identifier, meta):
                self.make(identifier, meta)
        except (OSError, DcePlayError):
            return

    def take_fresh(self, identifier: EpisodeId) -> bool:
        """Return whether this process has just packed it; true once."""
        fresh = identifier in self._fresh
        self._fresh.discard(identifier)
        return fresh

    def has_rotted(self, record: PackRecord) -> bool:
        """Return whether the packed bytes are not those that were written."""
        digest = hashlib.sha256()
        with self._spool.file(EpisodeId(record.id), Suffix.TAR).open("rb") as file:
            while data := file.read(_READ):
                digest.update(data)
                self._moved(len(data))
        return digest.hexdigest() != record.sha256
