"""The receiver beside 100,000 episodes: its start, and a PUT."""

import os
from pathlib import Path

import msgspec

from dce_play.transfer.receiving.folders import StoreFolders
from dce_play.transfer.wire import Receipt, encode_receipt, row_of


def fill_store(root: Path, count: int) -> None:
    """Write a store of so many episodes of one byte, with their receipts and rows."""
    folders = StoreFolders(root)
    folders.store.mkdir(parents=True, exist_ok=True)
    with folders.index.open("ab") as index:
        for number in range(count):
            receipt = Receipt(
                v=1,
                id=f"stored-{number:06}",
                host_id=f"lab-{number % 40}",
                size=1,
                sha256=f"{number:064x}",
                manifest_digest=f"sha256:{number:064x}",
                commit="a1" * 20,
                files=2,
                bytes=20480,
                stored_at="2026-11-20T10:00:00Z",
                receiver="hub",
            )
            folders.archive(receipt.id).write_bytes(b"x")
            folders.receipt(receipt.id).write_bytes(encode_receipt(receipt))
            index.write(msgspec.json.encode(row_of(receipt, source="put")) + b"\n")
    os.sync()
