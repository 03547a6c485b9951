"""The order in which a backup and what ends it become durable, as the kernel was asked: a kill shows none of it.

A backup has its name only when its bytes, read again from the disk, and its manifest are there for good; a manifest
goes only when its data has lost its name for good; a restore's note is there before anything, and goes last.
"""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.backups import Yard, yard_in
from tests.support.call_order import changes, strace

pytestmark = pytest.mark.strace

MANIFEST = [
    "fsync backups/.B.manifest.json.*.tmp",
    "rename backups/.B.manifest.json.*.tmp to backups/B.manifest.json",
    "fsync backups",
]


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    found = yard_in(tmp_path)
    found.define(container_engine="none")
    return found


def order(yard: Yard, *words: str, more: tuple[str, ...] = ()) -> list[str]:
    """Run a backup command; return what it did, with ``B`` for a backup's name and ``T`` for a stamp.

    What it keeps of our own files in the user's cache is left out.
    """
    log = yard.data.parent / "calls"
    said = yard.under(*strace(log, *more), words=words)
    assert said.code == 0, said
    return [
        re.sub(r"\d{8}T\d{6}Z", "T", re.sub(r"kuma-\d{8}T\d{6}Z\.tar\.gz", "B", each))
        for each in changes(log, yard.data.parent)
        if "/.cache/" not in each
    ]


@pytest.mark.contract("B2")
def test_a_backup_is_durable_and_read_again_before_its_manifest_and_its_manifest_before_its_name(yard: Yard) -> None:
    made = order(yard, "run", "kuma", "--allow-unattended", more=("openat",))
    assert [each for each in made if ".B.part" in each or not each.startswith("open ")] == [
        "fsync .",
        "fsync backups",
        "open backups/.B.part",
        "fsync backups/.B.part",
        "open backups/.B.part",
        *MANIFEST,
        "rename backups/.B.part to backups/B",
        "fsync backups",
    ]


@pytest.mark.contract("B6")
def test_data_has_lost_its_name_for_good_before_its_manifest_goes(yard: Yard) -> None:
    yard.take()
    yard.take()
    assert order(yard, "prune", "kuma", "--keep-last", "1", "--apply", "--yes") == [
        "rename backups/B to backups/.B.part",
        "fsync backups",
        "unlink backups/B.manifest.json",
        "unlink backups/.B.part",
        "fsync backups",
    ]


@pytest.mark.contract("N14")
def test_a_restore_is_noted_before_it_begins_and_durable_before_it_is_swapped_in_and_no_longer_noted(
    yard: Yard,
) -> None:
    file = yard.take()["file"]
    words = ("--apply", "--confirm", "kuma")
    assert order(yard, "restore", file, *words, "--no-safety-backup") == [
        *MANIFEST,
        "fsync backups/.dce-backup/.kuma.restore.json.*.tmp",
        "rename backups/.dce-backup/.kuma.restore.json.*.tmp to backups/.dce-backup/kuma.restore.json",
        "fsync backups/.dce-backup",
        "fsync .data.restore-T/sub/deep",
        "fsync .data.restore-T/sub",
        "fsync .data.restore-T",
        "sync all",
        "rename data to data.before-T",
        "rename .data.restore-T to data",
        "fsync .",
        "unlink backups/.dce-backup/kuma.restore.json",
        "fsync backups/.dce-backup",
    ]
    into = order(yard, "restore", file, "--into", str(yard.data.parent / "out"), *words)
    assert [each for each in into if "/sub" not in each and not each.endswith("/data")] == [
        *MANIFEST,
        "fsync out/..dce-restore-has-not-ended.*.tmp",
        "rename out/..dce-restore-has-not-ended.*.tmp to out/.dce-restore-has-not-ended",
        "fsync out",
        "sync all",
        "unlink out/.dce-restore-has-not-ended",
        "fsync out",
    ]


@pytest.mark.contract("N14")
@pytest.mark.root
def test_a_restore_that_fails_between_two_roots_puts_the_first_back_for_good_before_its_note_goes(yard: Yard) -> None:
    folder = yard.data.parent
    (folder / "more").mkdir()
    (folder / "more" / "d.txt").write_text("first\n")
    yard.define(files={"paths": [str(yard.data), str(folder / "more")]}, container_engine="none")
    file = yard.take()["file"]
    (yard.data / "a.txt").write_text("newer\n")
    if subprocess.run(["mount", "--bind", folder / "more", folder / "more"], check=False).returncode:
        pytest.skip("no right to mount")
    try:
        log = folder / "calls"
        words = ("restore", file, "--apply", "--confirm", "kuma", "--no-safety-backup")
        said = yard.under(*strace(log), words=words)
    finally:
        subprocess.run(["umount", folder / "more"], check=True)
    assert said.code == 4, said
    assert f"{folder / 'more'} is a mount point and cannot be put aside" in said.err
    made = [re.sub(r"\d{8}T\d{6}Z", "T", each) for each in changes(log, folder)]
    since = made[made.index("rename data to data.before-T") : made.index("fsync backups/.dce-backup", -5) + 1]
    assert [each for each in since if each.startswith(("rename", "fsync")) or "restore.json" in each] == [
        "rename data to data.before-T",
        "rename .data.restore-T to data",
        "fsync .",
        "fsync .",
        "rename data to data.undone-T",
        "rename data.before-T to data",
        "fsync .",
        "unlink backups/.dce-backup/kuma.restore.json",
        "fsync backups/.dce-backup",
    ]
    assert (yard.data / "a.txt").read_text() == "newer\n"
    assert yard.ask("require", "kuma")[0] == 0
    assert sorted(each.name for each in folder.iterdir() if each.name.startswith((".", "data", "more"))) == [
        "data",
        "more",
    ]


@pytest.mark.contract("B4")
def test_what_undoes_is_noted_durably_before_anything_is_held(yard: Yard) -> None:
    mark = yard.data.parent / "held"
    freeze, thaw = ["touch", str(mark)], ["rm", str(mark)]
    yard.define(quiesce={"mode": "command", "freeze": freeze, "thaw": thaw, "max": "60s"})
    made = order(yard, "run", "kuma", "--allow-unattended", more=("openat",))
    told = [each for each in made if "quiesce" in each or each.endswith(("held", ".B.part"))]
    assert [each for each in told if not each.startswith("open backups/.dce-backup")] == [
        "open backups/.B.part",
        "fsync backups/.dce-backup/.kuma.quiesce.json.*.tmp",
        "rename backups/.dce-backup/.kuma.quiesce.json.*.tmp to backups/.dce-backup/kuma.quiesce.json",
        "open held",
        "fsync backups/.B.part",
        "unlink held",
        "unlink backups/.dce-backup/kuma.quiesce.json",
        "open backups/.B.part",
    ]
