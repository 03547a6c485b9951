"""Folders that lie in one another, that are named twice, or that are links: taken, drilled and restored."""

import os
from pathlib import Path

import pytest

from tests.support.backups import DATA, Yard, yard_in


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return yard_in(tmp_path)


def restored_everywhere(yard: Yard, into: Path) -> None:
    """Drill the latest backup, restore it in place and into a folder; it is what ``DATA`` says each time."""
    code, drilled = yard.ask("drill", "kuma@latest")
    assert (code, drilled.get("differences")) == (0, []), drilled
    (yard.data / "a.txt").write_text("newer\n")
    (yard.data / "sub" / "b.txt").unlink()
    for words in ((), ("--into", str(into))):
        code, done = yard.ask("restore", "kuma@latest", *words, "--apply", "--confirm", "kuma")
        assert code == 0, done
    for place in (yard.data, into / str(yard.data)[1:]):
        assert {name: (place / name).read_text() for name in DATA} == DATA


@pytest.mark.contract("B4", "N14")
def test_a_root_in_another_and_one_named_twice_are_taken_once_and_come_back(yard: Yard, tmp_path: Path) -> None:
    sub, whole = yard.data / "sub", str(yard.data)
    yard.define(files={"paths": [str(sub), whole, whole + "/", str(sub / "deep")]}, container_engine="none")
    row = yard.take()
    assert (row["counts"]["files"], row["counts"]["folders"]) == (3, 3)
    restored_everywhere(yard, tmp_path / "into")
    assert len(list(tmp_path.glob("data.before-*"))) == 1
    assert sorted(path.name for path in yard.data.iterdir()) == ["a.txt", "sub"]


def test_a_root_that_its_outer_one_excludes_is_still_taken(yard: Yard, tmp_path: Path) -> None:
    paths = [str(yard.data), str(yard.data / "sub")]
    yard.define(files={"paths": paths, "exclude": [f"{yard.data}/sub"]}, container_engine="none")
    assert yard.take()["counts"]["files"] == 3
    restored_everywhere(yard, tmp_path / "into")


def test_a_root_that_is_a_link_stays_one_and_what_it_stands_for_is_restored(yard: Yard, tmp_path: Path) -> None:
    link, file = tmp_path / "link", tmp_path / "settings"
    link.symlink_to(yard.data)
    file.symlink_to(yard.data / "a.txt")
    yard.define(files={"paths": [str(link), str(file)]}, container_engine="none")
    assert yard.take()["counts"]["files"] == 4
    assert yard.ask("restore", "kuma@latest", "--apply", "--confirm", "kuma")[0] == 4  # the one lies in the other
    yard.define(files={"paths": [str(link)]}, container_engine="none")
    yard.take()
    (yard.data / "a.txt").write_text("newer\n")
    plan = {item["what"]: item["detail"] for item in yard.ask("restore", "kuma@latest")[1]["plan"]}
    assert plan["replace"].startswith(f"{yard.data};")
    assert yard.ask("restore", "kuma@latest", "--apply", "--confirm", "kuma")[0] == 0
    assert link.is_symlink()
    assert (yard.data / "a.txt").read_text() == DATA["a.txt"]


def test_a_file_that_is_a_link_is_taken_with_what_it_holds(yard: Yard, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.symlink_to(yard.data / "a.txt")
    yard.define(files={"paths": [str(file)]}, container_engine="none")
    yard.take()
    (yard.data / "a.txt").write_text("newer\n")
    assert yard.ask("restore", "kuma@latest", "--apply", "--confirm", "kuma")[0] == 0
    assert (file.is_symlink(), file.read_text()) == (True, DATA["a.txt"])


@pytest.mark.contract("B4")
def test_a_named_pipe_comes_back_with_its_times(yard: Yard, tmp_path: Path) -> None:
    os.mkfifo(yard.data / "pipe", 0o640)
    os.utime(yard.data / "pipe", ns=(1_000_000_007, 1_000_000_007))
    yard.define(container_engine="none")
    yard.take()
    assert yard.ask("restore", "kuma@latest", "--into", str(tmp_path / "into"), "--apply", "--confirm", "kuma")[0] == 0
    assert (tmp_path / "into" / str(yard.data / "pipe")[1:]).lstat().st_mtime_ns == 1_000_000_007


@pytest.mark.contract("N9")
def test_what_lies_in_two_roots_is_estimated_once(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    inner = yard.data / "sub"
    (inner / "large").write_bytes(os.urandom(400_000))
    estimates = []
    for paths in ([yard.data], [yard.data, inner]):
        yard.define(files={"paths": list(map(str, paths))})
        code, found = yard.ask("run", "kuma", "--dry-run")
        assert code == 0, found
        estimates.append(found["planned"][0]["estimate_bytes"])
    assert estimates[0] == estimates[1]
