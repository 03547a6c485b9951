"""What a backup command says to type is typed as it stands, and finds what that command found."""

import re
import shlex
from pathlib import Path

import pytest

from tests.support.backups import Yard, at_terminal, yard_in
from tests.support.command_line import Said


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Give a yard whose definitions and backups lie where nobody looks unless told to."""
    yard = yard_in(tmp_path)
    (yard.terminal.folder / "backup.yml").rename(yard.terminal.folder / "my modules.yml")
    return yard


PLACES = ("--modules", "my modules.yml", "--backup-root", "other place")


def typed(yard: Yard, said: str, *more: str) -> Said:
    """Type the one backup command that was said."""
    (command,) = re.findall(r"dce-play (backup .+)", said)
    assert "--modules 'my modules.yml'" in command
    return yard.terminal.run(*shlex.split(command), *more)


def test_require_says_how_the_backup_that_it_misses_is_taken(yard: Yard) -> None:
    missing = yard.run("require", "kuma", *PLACES)
    assert missing.code == 4
    assert typed(yard, missing.err, "--allow-unattended").code == 0
    assert yard.run("require", "kuma", *PLACES).code == 0
    assert yard.ask("require", "kuma", *PLACES, "--min-level", "3")[0] == 4
    assert typed(yard, yard.ask("require", "kuma", *PLACES, "--min-level", "3")[1]["hint"]).code == 0
    assert yard.run("require", "kuma", *PLACES, "--min-level", "3").code == 0


def test_a_restore_that_is_only_planned_says_how_it_is_done(yard: Yard) -> None:
    yard.take(*PLACES)
    planned = yard.run("restore", "kuma@latest", *PLACES)
    assert planned.code == 0
    refused = typed(yard, planned.out)
    assert (refused.code, "no such" in refused.err) == (77, False), refused  # a person is needed; all else was found


def test_a_step_says_it_with_its_own_places(yard: Yard) -> None:
    params = "{module: kuma, modules: 'my modules.yml', backup_root: 'other place'}"
    yard.terminal.write("demand.yml", f"name: demand\nsteps: [{{backup.require: {params}}}]\n")
    missing = yard.terminal.run("run", "demand.yml")
    assert missing.code != 0
    assert typed(yard, missing.out + missing.err, "--allow-unattended").code == 0
    assert yard.terminal.run("run", "demand.yml").code == 0


def test_the_command_that_a_plan_ends_with_restores_what_the_plan_is_for(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    other = tmp_path / "other data"
    other.mkdir()
    here = {"health": {"none": True}, "restore_notes": "none", "container_engine": "none"}
    yard.define_all(
        {"name": "kuma", "files": {"paths": [str(yard.data)]}, **here},
        {"name": "twin", "files": {"paths": [str(other)]}, **here},
    )
    yard.take()
    into = str(tmp_path / "new folder")
    for said in (("--to", "twin", "--no-safety-backup"), ("--into", into)):
        planned = yard.run("restore", "kuma@latest", *said)
        (command,) = re.findall(r"to do it: dce-play (backup .+)", planned.out)
        name = "twin" if "--to" in said else "kuma"
        done = yard.terminal.run(*shlex.split(command), "--confirm", name)
        assert done.code == 0, done
    assert [path.name for path in tmp_path.glob("data.before-*")] == []  # nothing was done to the module itself
    assert len(list(tmp_path.glob("other data.before-*"))) == 1
    assert (tmp_path / "new folder" / str(yard.data)[1:] / "a.txt").is_file()
    assert len([name for name in yard.names() if name.endswith(".gz")]) == 1  # no safety backup, as was said


def test_a_plan_tells_how_large_what_is_there_now_is(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    yard.define(container_engine="none")
    yard.take()
    (yard.data / "more").write_bytes(b"x" * 5000)
    plan = {item["what"]: item["detail"] for item in yard.ask("restore", "kuma@latest")[1]["plan"]}
    assert plan["present"] == f"{yard.data}; about 5019 bytes"


def test_a_named_module_of_another_class_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    code, found = yard.ask("run", "kuma", "--class", "A,F", "--allow-unattended")
    assert (code, found["error"]["message"]) == (2, "kuma is of the class E, not A or F")
    assert not yard.root.exists()
    yard.take("--class", "E")


def test_require_that_finds_none_has_failed_as_a_whole(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    yard.define(container_engine="none")
    code, found = yard.ask("require", "kuma")
    assert (code, found["error"]["id"]) == (4, "not-found")
    assert (found["error"]["message"], found["error"]["hint"]) == (found["reason"], found["hint"])
    yard.take()
    assert "quiesce.mode" in yard.ask("require", "kuma", "--consistency", "quiesced")[1]["reason"]


def test_a_dry_run_names_what_is_taken(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    assert f"of {yard.data}; nothing is held still" in yard.run("run", "kuma", "--dry-run").out


def test_notes_that_are_named_and_not_there_are_told_with_their_place(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    yard.define(restore_notes="notes/kuma.md")
    (row,) = yard.ask("audit")[1]["modules"]
    assert row["reasons"] == [f"no restore notes: {yard.terminal.folder / 'notes' / 'kuma.md'} is not there"]


def test_a_module_in_the_place_of_a_backup_is_told_how_it_is_written(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    yard.take()
    missed = yard.ask("show", "kuma")[1]["error"]["hint"]
    assert missed == 'did you mean "kuma@latest"?'
    assert yard.ask("show", re.findall('"(.+)"', missed)[0])[0] == 0


def test_who_is_kept_out_by_a_variable_is_told_to_unset_it(tmp_path: Path) -> None:
    yard = yard_in(tmp_path, CI="true")
    assert "unset CI" in yard.ask("run", "kuma")[1]["error"]["hint"]


def test_a_prune_that_was_asked_for_shows_its_plan_once(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    for _ in range(2):
        yard.take()
    code, shown = at_terminal(yard, "prune", "kuma", "--keep-last", "1", "--apply", typed="y")
    assert (code, shown.count("surplus"), shown.count("removed kuma-")) == (0, 1, 1), shown


def test_a_backup_of_a_module_that_is_gone_or_another_now_says_where_it_can_go(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    yard.define(container_engine="none")
    yard.take()
    yard.define(name="tuba", container_engine="none")
    code, gone = yard.ask("restore", "kuma@latest")
    assert (code, "--to" in gone["error"]["hint"], "--into" in gone["error"]["hint"]) == (5, True, True)
    assert yard.ask("restore", "kuma@latest", "--to", "tuba")[0] == 0
    yard.define(**{"class": "A"}, container_engine="none")
    code, other = yard.ask("restore", "kuma@latest")
    assert (code, "--to" in other["error"]["hint"]) == (2, True)
    into = ("--into", str(tmp_path / "into"), "--apply", "--confirm", "kuma")
    assert yard.ask("restore", "kuma@latest", *into)[0] == 0


@pytest.mark.contract("B2")
def test_what_is_left_of_a_module_is_told_of_that_module_alone(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    yard.take()
    for name in ("kuma", "kuma-two"):
        (yard.root / f".{name}-20261128T220000Z.tar.gz.part").touch()
        (yard.root / f"{name}-20261128T220001Z.tar.gz").touch()
        (yard.root / f"{name}-20261128T220002Z.tar.gz.manifest.json").touch()
        (yard.root / ".dce-backup" / f"{name.replace('-', '.')}.quiesce.json").touch()
    left = yard.ask("list", "kuma")[1]["leftovers"]
    assert sorted(Path(each["path"]).name for each in left) == [
        ".kuma-20261128T220000Z.tar.gz.part", "kuma-20261128T220001Z.tar.gz",
        "kuma-20261128T220002Z.tar.gz.manifest.json", "kuma.quiesce.json",
    ]  # fmt: skip
    assert len(yard.ask("list")[1]["leftovers"]) == 8


def test_all_and_a_name_are_not_guessed_at(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    code, found = yard.ask("run", "kuma", "--all", "--allow-unattended")
    assert (code, found["error"]["id"]) == (2, "usage")
    assert not yard.root.exists()
