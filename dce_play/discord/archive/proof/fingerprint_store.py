"""Fingerprints kept in the state folder, so that a file that did not change is not read again.

A kept fingerprint counts only while device, inode, size and both times of the file are the same. A file that changed
less than ``SETTLED_NS`` before it was read is not kept: a second change within the same tick of the kernel's clock
would leave the same times.
"""

import hashlib
import json
import os
import time
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from dce_play.discord.archive.proof.fingerprint import Fingerprint, MessageIndex, ids_digest
from dce_play.layout import state_folder
from dce_play.system.durable.disk import FileFacts
from dce_play.system.durable.unkept import can_keep, tell_unkept
from dce_play.system.durable.whole_files import write_atomic

FORMAT = 1
_KEPT = "kept fingerprints"
SETTLED_NS = 20_000_000


class FingerprintStore:
    """The kept fingerprints and indexes, one pair of files for each channel file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, facts: FileFacts) -> Fingerprint | None:
        """Return the fingerprint of a file that has not changed since, or ``None``."""
        try:
            value = json.loads(self._place(facts, "json").read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(value, dict) or value.pop("version", None) != FORMAT:
            return None
        try:
            found = fingerprint_from(value)
        except (KeyError, TypeError):
            return None
        return found if found.is_of(facts) else None

    def index(self, fingerprint: Fingerprint) -> MessageIndex | None:
        """Return the index that belongs to a fingerprint, or ``None`` when it is not kept any more."""
        try:
            data = self._index_place(fingerprint).read_bytes()
        except OSError:
            return None
        count = fingerprint.message_count
        if len(data) != 12 * count:
            return None
        index = MessageIndex(array("Q", data[: 8 * count]), array("I", data[8 * count :]))
        return index if ids_digest(index.ids) == fingerprint.ids_sha256 else None

    def put(self, fingerprint: Fingerprint, index: MessageIndex, *, read_at_ns: int) -> None:
        """Keep a fingerprint and its index. ``read_at_ns`` is when reading the file began."""
        if read_at_ns - fingerprint.ctime_ns < SETTLED_NS:
            return
        if not can_keep(self.folder, _KEPT):
            return
        value = {"version": FORMAT} | asdict(fingerprint)
        try:
            write_atomic(self._index_place(fingerprint), index.ids.tobytes() + index.checksums.tobytes())
            write_atomic(self.folder / f"{_stem(fingerprint)}.json", json.dumps(value).encode("ascii"))
        except OSError as error:
            tell_unkept(_KEPT, f"{self.folder}: {(error.strerror or str(error)).lower()}")

    def prune(self, wanted: Iterable[Fingerprint]) -> None:
        """Forget all others."""
        stems = {_stem(fingerprint) for fingerprint in wanted}
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if path.stem not in stems:
                    path.unlink(missing_ok=True)

    def _place(self, facts: FileFacts, ending: str) -> Path:
        return self.folder / f"{facts.device}-{facts.inode}.{ending}"

    def _index_place(self, fingerprint: Fingerprint) -> Path:
        return self.folder / f"{_stem(fingerprint)}.index"


def wait_until_settled(facts: FileFacts) -> None:
    """Wait for the moment, at most 20 ms from now, from which a fingerprint of this file can be kept."""
    age_ns = time.time_ns() - facts.ctime_ns
    if age_ns < SETTLED_NS:
        time.sleep(min(SETTLED_NS - age_ns, SETTLED_NS) / 1e9)


def store_for(root: Path, environment: Mapping[str, str]) -> FingerprintStore:
    """Return the store of an archive root, in the state folder."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return FingerprintStore(state_folder(environment) / "fingerprints" / name)


def fingerprint_from(value: dict[str, object]) -> Fingerprint:
    """Return the fingerprint that ``asdict`` and JSON made of one."""
    blocks = value.pop("blocks")
    if not isinstance(blocks, list):
        raise TypeError("blocks is a list")
    return Fingerprint(blocks=tuple(blocks), **value)  # type: ignore[arg-type]  # checked by the format's version


def _stem(fingerprint: Fingerprint) -> str:
    return f"{fingerprint.device}-{fingerprint.inode}"
