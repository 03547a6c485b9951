"""The four folders of a shipper, the files of an episode in the outbox, and how they are written durably."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec

from dce_play.system.durable.whole_files import sync_folder, write_atomic
from dce_play.system.lock.file_lock import flock_file
from dce_play.transfer.ids import EpisodeId, episode_id, split_name
from dce_play.transfer.sending.episodes.episode import REASON
from dce_play.transfer.sending.settings import ShipConfig

MOVES_WAIT_S = 30.0


class Suffix(StrEnum):
    """The ends of our files in the outbox. None is the end of another, and no id ends in one."""

    TAR = ".tar.zst"
    PART = ".tar.zst.part"
    PACK = ".pack.json"
    RECEIPT = ".receipt.json"
    UPLOAD = ".upload.json"


class PackRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``pack.json``: what lies packed beside it, and the seal of the episode that it was packed from."""

    v: int = 1
    id: str
    size: int
    sha256: str
    manifest_digest: str
    commit: str | None
    seal: str
    packed_at: str
    attempts: int = 0


class Outbox(msgspec.Struct, frozen=True, kw_only=True):
    """One listing of the outbox. Names that are none of ours are left alone."""

    files: dict[EpisodeId, frozenset[Suffix]]
    temporaries: tuple[str, ...]
    """What a writer left that was killed."""


class Spool:
    """Where everything lies. It reads, and writes single files; the moves are in ``moves``."""

    def __init__(self, config: ShipConfig) -> None:
        self.option = config.option
        self.episodes = config.episodes_dir
        self.outbox = config.outbox_dir
        self.shipped = config.shipped_dir
        self.quarantine = config.quarantine_dir
        self.private = config.private_dir

    @property
    def folders(self) -> tuple[Path, ...]:
        return self.episodes, self.outbox, self.shipped, self.quarantine

    def episode(self, identifier: EpisodeId) -> Path:
        return self.episodes / identifier

    def file(self, identifier: EpisodeId, suffix: Suffix) -> Path:
        """Return the path of one of an episode's files in the outbox."""
        return self.outbox / f"{identifier}{suffix}"

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Hold the lock under which episodes move; look at what is there anew inside.

        Raises: FileBusy, when somebody holds it for half a minute.
        """
        path = self.private / "moves.lock"
        if not path.exists():
            self.private.mkdir(exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
        with flock_file(path, wait_s=MOVES_WAIT_S):
            yield

    def list_outbox(self) -> Outbox:
        """List the outbox once."""
        files: dict[EpisodeId, set[Suffix]] = {}
        temporaries = []
        for name in _names(self.outbox):
            if name.startswith("."):
                if name.endswith(".tmp"):
                    temporaries.append(name)
                continue
            found = split_file_name(name)
            if found is not None:
                files.setdefault(found[0], set()).add(found[1])
        return Outbox(
            files={identifier: frozenset(suffixes) for identifier, suffixes in files.items()},
            temporaries=tuple(temporaries),
        )

    def list_episodes(self) -> tuple[list[EpisodeId], list[str]]:
        """Return the ids in ``episodes/`` and the names that are none of ours: no id, no folder, a link."""
        found: list[EpisodeId] = []
        bad: list[str] = []
        with os.scandir(self.episodes) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                identifier = episode_id(entry.name)
                if identifier is None or not entry.is_dir(follow_symlinks=False):
                    bad.append(os.fsencode(entry.name).decode("utf-8", errors="backslashreplace"))
                else:
                    found.append(identifier)
        return found, sorted(bad)

    def read_pack(self, identifier: EpisodeId) -> PackRecord | None:
        """Return what ``pack.json`` says; ``None`` when it is not there or not whole, or is another id's."""
        try:
            record = msgspec.json.decode(self.file(identifier, Suffix.PACK).read_bytes(), type=PackRecord)
        except (OSError, msgspec.DecodeError):
            return None
        return record if record.id == identifier else None

    def read_file(self, identifier: EpisodeId, suffix: Suffix) -> bytes | None:
        """Return a small file of the outbox, or ``None`` when it is not there."""
        try:
            return self.file(identifier, suffix).read_bytes()
        except FileNotFoundError:
            return None

    def write_file(self, identifier: EpisodeId, suffix: Suffix, data: bytes) -> None:
        """Write a small file of the outbox durably: temporary, fsync, rename, fsync of the folder."""
        write_atomic(self.file(identifier, suffix), data, mode=0o600)

    def write_receipt(self, identifier: EpisodeId, data: bytes) -> None:
        """Write a receipt durably but for its name: whoever retires the episode syncs the folder first."""
        path = self.file(identifier, Suffix.RECEIPT)
        write_atomic(path, data, mode=0o600, temporary=path.with_name(f".{path.name}.tmp"), sync_name=False)

    def publish_tar(self, record: PackRecord) -> None:
        """Give a durable ``.part`` its record and then its name. One fsync of the folder covers both renames.

        Power lost between them leaves a tarball without a record at worst, which is packed anew.
        """
        identifier = EpisodeId(record.id)
        pack = self.file(identifier, Suffix.PACK)
        temporary = pack.with_name(f".{pack.name}.tmp")
        write_atomic(pack, msgspec.json.encode(record), mode=0o600, temporary=temporary, sync_name=False)
        self.file(identifier, Suffix.PART).replace(self.file(identifier, Suffix.TAR))
        sync_folder(self.outbox)

    def remove_files(self, identifier: EpisodeId) -> list[str]:
        """Remove all files of an episode from the outbox; return their names."""
        removed = []
        for suffix in Suffix:
            path = self.file(identifier, suffix)
            try:
                path.unlink()
            except FileNotFoundError:
                continue
            removed.append(path.name)
        return removed

    def has_reason(self, identifier: EpisodeId) -> bool:
        """Return whether an episode in ``episodes/`` has a reason file: it was on its way to quarantine, or is back."""
        return os.path.lexists(self.episode(identifier) / REASON)

    def shipped_names(self, identifier: EpisodeId) -> list[str]:
        """Return the folders in ``shipped/`` of an id that have no receipt, by one listing of names."""
        names = set(_names(self.shipped))
        return [
            name
            for name in sorted(names)
            if (found := split_name(name)) and found[0] == identifier and f"{name}{Suffix.RECEIPT}" not in names
        ]


def split_file_name(name: str) -> tuple[EpisodeId, Suffix] | None:
    """Return the id and the suffix in the name of one of our files, or ``None`` when it is none."""
    for suffix in Suffix:
        if name.endswith(suffix):
            identifier = episode_id(name.removesuffix(suffix))
            if identifier is not None:
                return identifier, suffix
    return None


def _names(folder: Path) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208 - names only, in one go
