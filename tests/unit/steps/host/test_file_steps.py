"""``file.write``, ``file.copy`` and ``file.remove``: what they plan is what they do, once."""

import os
import subprocess
from pathlib import Path

import pytest

from dce_play.plugin import StepFailed
from dce_play.steps.host import file_copy, file_remove, file_write
from tests.support.fakes import make_context
from tests.support.processes import python


def test_writing_does_what_was_planned_and_then_nothing(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    params = file_write.Params(path=tmp_path / "f", content="new\n", mode="0640")
    (tmp_path / "f").write_text("old\n", encoding="utf-8")
    planned = file_write.plan(params, context)
    assert "-old\n+new\n" in planned.changes[0].diff
    assert (tmp_path / "f").read_text(encoding="utf-8") == "old\n"
    assert file_write.apply(params, context).changed
    assert (tmp_path / "f").read_text(encoding="utf-8") == "new\n"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640
    assert not file_write.plan(params, context).changes
    assert not file_write.apply(params, context).changed


def test_copying_does_what_was_planned_and_then_nothing(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    params = file_copy.Params(source=tmp_path / "a", target=tmp_path / "b")
    (tmp_path / "a").write_bytes(b"\0\xff")
    assert file_copy.plan(params, context).changes
    assert not (tmp_path / "b").exists()
    assert file_copy.apply(params, context).changed
    assert (tmp_path / "b").read_bytes() == b"\0\xff"
    assert not file_copy.plan(params, context).changes
    assert not file_copy.apply(params, context).changed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "run"]


def test_a_missing_source_is_told(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    with pytest.raises(StepFailed, match="there is no file"):
        file_copy.plan(file_copy.Params(source=tmp_path / "a", target=tmp_path / "b"), context)


def test_removing_does_what_was_planned_and_then_nothing(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    (tmp_path / "kept").touch()
    (tmp_path / "link").symlink_to("kept")
    params = file_remove.Params(path=tmp_path / "link")
    assert file_remove.plan(params, context).changes
    assert file_remove.apply(params, context).changed
    assert (tmp_path / "kept").exists()
    assert not (tmp_path / "link").is_symlink()
    assert not file_remove.apply(params, context).changed


def test_a_folder_is_not_removed(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    with pytest.raises(StepFailed, match="is a folder"):
        file_remove.apply(file_remove.Params(path=tmp_path), context)


def test_nothing_touches_the_archive_even_by_way_of_a_link(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    root.mkdir()
    (root / "channel.json").write_text("{}", encoding="utf-8")
    (tmp_path / "link").symlink_to(root)
    (tmp_path / "source").touch()
    context, _ = make_context(tmp_path, archive_root=root)
    path = tmp_path / "link" / "channel.json"
    with pytest.raises(StepFailed, match="below the archive root"):
        file_write.apply(file_write.Params(path=path, content=""), context)
    with pytest.raises(StepFailed, match="below the archive root"):
        file_copy.apply(file_copy.Params(source=tmp_path / "source", target=path), context)
    with pytest.raises(StepFailed, match="below the archive root"):
        file_remove.apply(file_remove.Params(path=path), context)
    assert path.read_text(encoding="utf-8") == "{}"


COPY = (
    "import sys; from pathlib import Path; from tests.support.fakes import make_context\n"
    "from dce_play.steps.host import file_copy\n"
    "folder = Path(sys.argv[1]); context, _ = make_context(folder)\n"
    "file_copy.apply(file_copy.Params(source=folder / 'a', target=folder / 'b'), context)"
)


@pytest.mark.strace
@pytest.mark.parametrize("call", ["fsync:when=1", "fsync:when=2", "rename", "fchmod,chmod,fchmodat", "sendfile"])
def test_a_copy_that_dies_leaves_the_old_file_or_the_new(tmp_path: Path, call: str) -> None:
    (tmp_path / "a").write_bytes(b"new" * 1000)
    (tmp_path / "b").write_bytes(b"old")
    name, _, when = call.partition(":")
    inject = f"inject={name}:signal=SIGKILL{':' + when if when else ''}"
    argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject, *python(COPY, tmp_path)]
    subprocess.run(argv, check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, stderr=subprocess.DEVNULL)
    assert (tmp_path / "b").read_bytes() in {b"old", b"new" * 1000}
