"""What DiscordChatExporter's ``--media`` left in ``<file>_Files``, taken into the store and not fetched again.

A file is taken when the hash in its name is that of an attachment's URL and its size is the one that Discord told.
"""

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from dce_play.discord.archive.view.cat import cat_messages
from dce_play.discord.media.references import attachment_urls
from dce_play.discord.media.walk import channel_files
from dce_play.discord.media_store.ledger import Kept, Ledger, line_for, read_ledger
from dce_play.discord.media_store.policy import MediaKind, MediaReference, MediaState
from dce_play.discord.media_store.store import MediaStore, digest_of
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import REAL

_HASH = re.compile(r"-([0-9A-Fa-f]{5}|[0-9A-Fa-f]{16})(\.[^.]*)?\Z")


def adopt_media(layout: TargetLayout, *, now: datetime, dry_run: bool = False) -> int:
    """Take over what the channel files' ``_Files`` folders have, and return how many URLs got their bytes.

    The folders and the channel files stay as they are. Raises: OSError.
    """
    found = [each for path, channel_id in channel_files(layout) for each in _matches(path, channel_id, layout)]
    if not found:
        return 0
    kept = {
        line.value.url
        for line in read_ledger(layout.media_ledger)
        if line.value is not None and line.value.state == MediaState.KEPT
    }
    new = {reference.url: (reference, file) for reference, file in found if reference.url not in kept}
    if dry_run or not new:
        return len(new)
    store = MediaStore(layout)
    store.make()
    ledger = Ledger(layout.media_ledger)
    taken = 0
    try:
        for reference, file in new.values():
            digest = digest_of(file)
            _take(store, file, digest)
            if store.size(digest) != reference.size:
                continue
            kept_now = Kept(digest, reference.size or 0, None)
            ledger.add(line_for(reference, MediaState.KEPT, now=now, kept=kept_now), lambda _: None)
            taken += 1
    finally:
        ledger.close()
    return taken


def _matches(path: Path, channel_id: str, layout: TargetLayout) -> Iterator[tuple[MediaReference, Path]]:
    folder = path.with_name(f"{path.name}_Files")
    if folder.is_symlink() or not folder.is_dir():
        return
    by_hash: dict[str, list[Path]] = {}
    for name in REAL.names(folder):
        mark = _HASH.search(name)
        if mark is not None:
            by_hash.setdefault(mark[1].lower(), []).append(folder / name)
    try:
        for line in cat_messages(path, layout=layout):
            message = json.loads(line)
            for item in message.get("attachments") or ():
                match = _match(item, channel_id, by_hash)
                if match is not None:
                    url, name, size, file = match
                    yield (
                        MediaReference(
                            url=url,
                            kind=MediaKind.ATTACHMENT,
                            name=name,
                            size=size,
                            message_id=str(message["id"]),
                            channel_id=channel_id,
                        ),
                        file,
                    )
    except (DcePlayError, ValueError, KeyError, AttributeError):
        return


def _match(item: object, channel_id: str, by_hash: dict[str, list[Path]]) -> tuple[str, str, int, Path] | None:
    if not isinstance(item, dict):
        return None
    name, size = item.get("fileName"), item.get("fileSizeBytes")
    if not isinstance(name, str) or type(size) is not int:
        return None
    for url in attachment_urls(channel_id, str(item.get("id")), name):
        digest = sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
        for file in (*by_hash.get(digest[:5], ()), *by_hash.get(digest[:16], ())):
            status = file.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_size == size:
                return url, name, size, file
    return None


def _take(store: MediaStore, file: Path, digest: str) -> None:
    """Link or copy a file into the store, durably."""
    place = store.path(digest)
    if store.size(digest) is not None:
        return
    part = store.part(f"adopt {digest}")
    part.unlink(missing_ok=True)
    try:
        os.link(file, part, follow_symlinks=False)
    except OSError:
        shutil.copyfile(file, part, follow_symlinks=False)
    descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        store.adopt_part(part, descriptor, digest)
    finally:
        os.close(descriptor)
    if not place.exists():
        raise OSError(f"{place} is not there")
