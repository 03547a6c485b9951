"""The names below a receiver's ``store_dir``."""

import os
import secrets
from pathlib import Path

import msgspec

ARCHIVE_END = ".tar.zst"
RECEIPT_END = ".receipt.json"


class StoreFolders(msgspec.Struct, frozen=True):
    """The folders and files of one store."""

    root: Path

    @property
    def incoming(self) -> Path:
        return self.root / "incoming"

    @property
    def uploads(self) -> Path:
        return self.root / "uploads"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def index(self) -> Path:
        return self.root / "index.jsonl"

    @property
    def tokens(self) -> Path:
        return self.root / "tokens.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def archive(self, episode_id: str) -> Path:
        """Return where an episode's archive is."""
        return self.store / f"{episode_id}{ARCHIVE_END}"

    def receipt(self, episode_id: str) -> Path:
        """Return where an episode's receipt is."""
        return self.store / f"{episode_id}{RECEIPT_END}"

    def new_part(self, episode_id: str) -> Path:
        """Return a name that no other archive on its way in has."""
        return self.incoming / f"{episode_id}.{secrets.token_hex(16)}.part"

    def stored_ids(self) -> list[str]:
        """Return the ids of all archives, sorted."""
        return sorted(name.removesuffix(ARCHIVE_END) for name in names_ending(self.store, ARCHIVE_END))


def names_ending(folder: Path, ending: str) -> list[str]:
    """Return the names in a folder that end so; none where there is no such folder. Quick for 100,000 of them."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names only, in one go
    except FileNotFoundError:
        return []
    return [name for name in names if name.endswith(ending)]
