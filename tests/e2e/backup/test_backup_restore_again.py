"""A restore after one that has not ended: what the first one left in doubt stays told until one has come to its end."""

import os
import signal
from pathlib import Path

import pytest

from dce_play.backup.store.restore_note import RestoreNote, note_path, read_note, write_note
from tests.support.backups import Yard, wait_for, yard_in

SAFETY = "kuma-20200101T000000Z.tar.gz"


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Give a module with a large file, its backup, and the note of a restore whose end nobody saw."""
    made = yard_in(tmp_path)
    made.define(container_engine="none")
    with (made.data / "large").open("wb") as file:
        file.write(os.urandom(32 << 20))
    row = made.take()
    note = RestoreNote(module="kuma", file=row["file"], began="2026-11-28T00:00:00Z", safety=SAFETY)
    write_note(note_path(made.root, "kuma"), note)
    return made


def words(yard: Yard) -> tuple[str, ...]:
    file = next(name for name in yard.names() if name.endswith(".tar.gz"))
    return ("restore", file, "--apply", "--confirm", "kuma", "--no-safety-backup")


@pytest.mark.contract("N14")
def test_one_that_fails_and_puts_all_back_leaves_what_it_found_in_doubt(yard: Yard) -> None:
    before = (yard.data / "large").stat().st_ino
    said = yard.under("prlimit", f"--fsize={1 << 20}", words=words(yard))
    assert said.code == 1, said
    assert (yard.data / "large").stat().st_ino == before
    note = read_note(note_path(yard.root, "kuma"), module="kuma")
    assert note is not None
    assert (note.began, note.safety) == ("2026-11-28T00:00:00Z", SAFETY)
    code, found = yard.ask("require", "kuma")
    assert (code, "was begun at 2026-11-28T00:00:00Z" in found["reason"]) == (4, True)


@pytest.mark.contract("N14")
def test_one_that_is_killed_still_names_the_backup_of_what_was_whole_last(yard: Yard) -> None:
    process = yard.start(*words(yard))
    try:
        unpacked = yard.data.parent
        wait_for(lambda: any(unpacked.glob(".data.restore-*/large")), within_s=60, what="what it unpacks")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)
    note = read_note(note_path(yard.root, "kuma"), module="kuma")
    assert note is not None
    assert (note.safety, len(note.swaps)) == (SAFETY, 1)


@pytest.mark.contract("N14")
def test_one_that_comes_to_its_end_ends_the_doubt(yard: Yard) -> None:
    assert yard.run(*words(yard)).code == 0
    assert not note_path(yard.root, "kuma").exists()
    assert yard.ask("require", "kuma")[0] == 0
