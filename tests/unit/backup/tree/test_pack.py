"""Files that change under a backup: told and counted, refused where nothing may change, and never a way out."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import RootFacts
from dce_play.backup.tree.check import read_tree
from dce_play.backup.tree.pack import Packed, PackRules, TreePacker
from tests.support.engine_services import FileSink
from tests.support.processes import python

SIZE = 1 << 20


class MeddlingSink(FileSink):
    """A sink at whose first bytes of a file's content somebody meddles with the files."""

    def __init__(self, path: Path, meddle: Callable[[], object]) -> None:
        super().__init__(path)
        self._meddle = meddle
        self._is_done = False

    def write(self, data: "bytes | memoryview", /) -> None:
        super().write(data)
        if not self._is_done and len(data) > SIZE // 8:
            self._is_done = True
            self._meddle()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    found = tmp_path / "tree"
    found.mkdir()
    for name in ("a", "b"):
        (found / name).write_bytes(name.encode() * SIZE)
    return found


def packed(tree: Path, meddle: Callable[[], object], rules: PackRules | None = None) -> Packed:
    """Pack the tree while somebody meddles; the tar must be whole."""
    sink = MeddlingSink(tree.with_name("tar"), meddle)
    root = RootFacts(label="tree", source=str(tree), destination=str(tree), type="path")
    try:
        found = TreePacker(sink, rules or PackRules()).pack([root])
    finally:
        sink.finish()
    with sink.path.open("rb") as tar:
        read_tree(tar, found.counts.plain())
    return found


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


WAYS: dict[str, Callable[[Path], object]] = {
    "longer": grow,
    "shorter": lambda path: os.truncate(path, SIZE // 2),
    "written over": lambda path: path.write_bytes(b"x" * SIZE),
    "another mode": lambda path: path.chmod(0o600),
}


@pytest.mark.contract("B10", "N2")
@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_changes_while_it_is_read_is_named_and_the_tar_is_whole(tree: Path, way: str) -> None:
    (tree / "a").chmod(0o644)
    found = packed(tree, lambda: WAYS[way](tree / "a"))
    assert (found.changed, found.vanished) == ((str(tree / "a"),), ())
    assert (found.counts.changed, found.counts.files, found.counts.bytes) == (1, 2, 2 * SIZE)


@pytest.mark.contract("B10", "N2")
def test_a_file_that_vanishes_before_its_turn_is_named_and_the_tar_is_whole(tree: Path) -> None:
    found = packed(tree, (tree / "b").unlink)
    assert (found.changed, found.vanished) == ((), (str(tree / "b"),))
    assert (found.counts.vanished, found.counts.files) == (1, 1)


@pytest.mark.contract("B10", "N2")
@pytest.mark.parametrize("what", ["changed", "vanished"])
def test_where_nothing_may_change_what_does_ends_it(tree: Path, what: str) -> None:
    meddle: Callable[[], object] = (tree / "b").unlink if what == "vanished" else lambda: grow(tree / "a")
    with pytest.raises(BackupError, match=f"{what} while it was read") as caught:
        packed(tree, meddle, PackRules(fail_on_change=True))
    assert caught.value.error_id is ErrorId.CHANGED


_SWAPPED = """
import os, sys
from pathlib import Path
from dce_play.backup.errors import BackupError
from dce_play.backup.facts import RootFacts
from dce_play.backup.tree.pack import PackRules, TreePacker
from tests.support.engine_services import FileSink
tree, outside, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def swap(event, words):
    if event == "open" and words[0] == name.encode() and (tree / name).exists() and not (tree / name).is_symlink():
        (tree / name).rename(tree.with_name("was"))
        (tree / name).symlink_to(outside)

sys.addaudithook(swap)
sink = FileSink(tree.with_name("tar"))
root = RootFacts(label="tree", source=str(tree), destination=str(tree), type="path")
try:
    TreePacker(sink, PackRules()).pack([root])
except BackupError as error:
    print(error.error_id)
finally:
    sink.finish()
"""


@pytest.mark.contract("N7")
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_turns_into_a_link_before_it_is_opened_is_not_followed(tree: Path, kind: str) -> None:
    outside = tree.with_name("outside")
    if kind == "folder":
        outside.mkdir()
        (outside / "secret").write_text("not to be archived")
        (tree / "c").mkdir()
    else:
        outside.write_text("not to be archived")
        (tree / "c").write_text("ours")
    argv = python(_SWAPPED, tree, outside, "c")
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert (tree / "c").is_symlink()
    assert b"not to be archived" not in tree.with_name("tar").read_bytes()
    assert said.stdout == {"file": "incomplete\n", "folder": ""}[kind]  # a folder that is none any more has vanished
