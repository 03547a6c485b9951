"""Backups of files from the command line: taken, listed, verified, drilled, demanded, restored, pruned."""

import dataclasses
import json
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.backups import DATA, Yard, at_terminal, yard_in


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return yard_in(tmp_path)


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.contract("B2", "B3", "B5", "N7")
def test_a_backup_has_its_name_its_manifest_and_its_modes_whatever_the_umask(yard: Yard) -> None:
    before = os.umask(0)
    try:
        row = yard.take()
    finally:
        os.umask(before)
    path = Path(row["path"])
    manifest = json.loads(Path(row["manifest"]).read_text())
    assert path.name.startswith("kuma-")
    assert path.name.endswith("Z.tar.gz")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, Path(row["manifest"]), yard.root)] == [
        0o600, 0o600, 0o700,
    ]  # fmt: skip
    assert manifest["schema"] == "dce-play/backup-manifest/1"
    assert manifest["counts"] == {
        "files": 3, "folders": 3, "links": 0, "bytes": sum(map(len, DATA.values())),
        "changed": 0, "vanished": 0, "sockets": 0, "sqlite": 0,
    }  # fmt: skip
    assert manifest["verification"]["level"] == 2
    assert [check["id"] for check in manifest["verification"]["checks"]] == ["stored-bytes", "contents"]
    assert manifest["operator"]["allowed_by"] == "--allow-unattended"


def test_gnu_tar_restores_what_ours_wrote(yard: Yard, tmp_path: Path) -> None:
    (yard.data / "link").symlink_to("a.txt")
    os.link(yard.data / "a.txt", yard.data / "twin")
    (yard.data / "sub").chmod(0o2750)
    raw = os.fsencode(yard.data) + b"/odd \xff\n name"
    Path(os.fsdecode(raw)).write_text("odd")
    row = yard.take()
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["tar", "-xpzf", row["path"], "-C", out], check=True, capture_output=True)
    there = out / str(yard.data).lstrip("/")
    assert (there / "link").readlink() == Path("a.txt")
    assert (there / "twin").stat().st_ino == (there / "a.txt").stat().st_ino
    assert stat.S_IMODE((there / "sub").stat().st_mode) == 0o2750
    assert Path(os.fsdecode(os.fsencode(there) + b"/odd \xff\n name")).read_text() == "odd"
    assert row["counts"]["links"] == 2


def test_a_database_in_wal_mode_keeps_what_was_committed_and_a_socket_is_counted(yard: Yard, tmp_path: Path) -> None:
    database = sqlite3.connect(yard.data / "kuma.db")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE seen (number)")
    database.executemany("INSERT INTO seen VALUES (?)", [(number,) for number in range(500)])
    database.commit()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(yard.data / "s"))
    row = yard.take()
    code, _ = yard.ask("restore", row["file"], "--into", str(tmp_path / "into"), "--apply", "--confirm", "kuma")
    assert code == 0
    copy = tmp_path / "into" / str(yard.data).lstrip("/")
    assert not (copy / "kuma.db-wal").exists()
    with closing(sqlite3.connect(copy / "kuma.db")) as restored:
        assert restored.execute("SELECT count(*) FROM seen").fetchone() == (500,)
    assert (row["counts"]["sqlite"], row["counts"]["sockets"]) == (1, 1)
    database.close()


def test_a_sparse_file_of_50_gb_stays_sparse(yard: Yard, tmp_path: Path) -> None:
    with (yard.data / "sparse").open("wb") as file:
        file.seek(25 << 30)
        file.write(b"middle")
        file.truncate(50 << 30)
    row = yard.take()
    assert row["bytes"] < 1 << 20
    code, drilled = yard.ask("drill", row["file"])
    assert code == 0, drilled
    assert drilled["restored"]["bytes"] == (50 << 30) + sum(map(len, DATA.values()))


@pytest.mark.contract("N3")
def test_a_device_and_a_root_that_is_gone_are_refused_and_leave_nothing(yard: Yard) -> None:
    os.mkfifo(yard.data / "pipe")
    if os.geteuid() == 0:
        os.mknod(yard.data / "null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        code, found = yard.ask("run", "kuma", "--allow-unattended")
        assert (code, found["failed"][0]["error"]) == (1, "incomplete")
        assert yard.names() == []
        (yard.data / "null").unlink()
    yard.define(files={"paths": [str(yard.data), "/no/such/folder"]})
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (4, "not-found")
    assert not yard.root.exists() or yard.names() == []


def test_nothing_of_backup_root_is_archived(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    inside = Yard(terminal=yard.terminal, data=yard.data, root=yard.data / "backups")
    inside.define()
    inside.take()
    assert inside.take()["counts"]["files"] == 3


@pytest.mark.contract("B5")
def test_a_bit_that_flips_is_found_and_noted_and_latest_is_the_one_before(yard: Yard) -> None:
    first, second = yard.take(), yard.take()
    path = Path(second["path"])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    code, found = yard.ask("verify", second["file"])
    assert (code, found["results"][0]["ok"]) == (1, False)
    assert found["results"][0]["findings"][0]["id"] in {"verify-failed", "truncated"}
    assert yard.ask("show", "kuma@latest")[1]["manifest"]["file"] == first["file"]
    rows = yard.ask("list", "kuma")[1]["backups"]
    assert [(row["file"], row["good"]) for row in rows] == [(second["file"], False), (first["file"], True)]


@pytest.mark.contract("B5")
def test_a_bit_of_the_stored_file_that_flips_is_found_at_level_1(yard: Yard) -> None:
    row = yard.take()
    path = Path(row["path"])
    whole = path.read_bytes()
    for at in (0, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        code, found = yard.ask("verify", row["file"], "--level", "1", "--no-record")
        (finding,) = found["results"][0]["findings"]
        assert (code, finding["id"]) == (1, "verify-failed")
        assert "its sha256 differs" in finding["message"]
    path.write_bytes(whole)
    assert yard.ask("verify", row["file"], "--level", "1")[0] == 0


@pytest.mark.contract("N12")
def test_a_file_that_was_cut_together_with_its_sums_is_found_by_the_drill(yard: Yard) -> None:
    import gzip
    import hashlib

    row = yard.take()
    path, beside = Path(row["path"]), Path(row["manifest"])
    plain = gzip.decompress(path.read_bytes())
    forged = plain.replace(b"second\n", b"secund\n")
    path.write_bytes(gzip.compress(forged))
    manifest = json.loads(beside.read_text())
    stored = path.read_bytes()
    manifest |= {"bytes": len(stored), "sha256": hashlib.sha256(stored).hexdigest(),
                 "plain_sha256": hashlib.sha256(forged).hexdigest()}  # fmt: skip
    beside.write_text(json.dumps(manifest))
    assert yard.ask("verify", row["file"], "--level", "1", "--no-record")[0] == 0
    code, found = yard.ask("verify", row["file"], "--level", "2", "--no-record")
    assert (code, found["results"][0]["findings"][0]["id"]) == (1, "verify-failed")
    code, found = yard.ask("drill", row["file"])
    assert code == 1
    assert found["error"]["id"] == "verify-failed"


@pytest.mark.contract("N12")
def test_a_drill_leaves_nothing_and_says_level_3(tmp_path: Path) -> None:
    place, temporary = tmp_path / "drills", tmp_path / "tmp"
    place.mkdir()
    temporary.mkdir()
    yard = yard_in(tmp_path, TMPDIR=str(temporary))
    row = yard.take()
    code, found = yard.ask("drill", row["file"], "--drill-dir", str(place))
    assert code == 0
    assert found["expected"] == found["restored"]
    assert (found["differences"], list(place.iterdir()), list(temporary.iterdir())) == ([], [], [])
    assert yard.ask("list")[1]["backups"][0]["level"] == 3


@pytest.mark.contract("B1")
def test_require_demands_a_fresh_one_and_says_what_to_type(yard: Yard) -> None:
    code, found = yard.ask("require", "kuma")
    assert (code, found["ok"], found["hint"]) == (4, False, "dce-play backup run kuma")
    assert yard.ask("require", "nobody")[0] == 5
    row = yard.take("--level", "1")
    assert yard.ask("require", "kuma")[0] == 4
    assert yard.ask("verify", row["file"])[0] == 0
    code, found = yard.ask("require", "kuma")
    assert (code, found["file"], found["level"]) == (0, row["file"], 2)
    assert yard.ask("require", "kuma", "--max-age", "0s")[0] == 4
    assert yard.ask("require", "kuma", "--consistency", "quiesced")[0] == 4


@pytest.mark.contract("N14")
def test_restore_is_a_plan_until_the_name_is_typed_and_then_puts_aside(yard: Yard) -> None:
    row = yard.take()
    (yard.data / "a.txt").write_text("newer\n")
    code, found = yard.ask("restore", row["file"])
    assert (code, found["applied"]) == (0, False)
    assert (yard.data / "a.txt").read_text() == "newer\n"
    assert yard.run("restore", row["file"], "--apply").code == 77
    assert yard.run("restore", row["file"], "--apply", "--confirm", "other").code == 2
    assert (yard.data / "a.txt").read_text() == "newer\n"
    code, shown = at_terminal(yard, "restore", row["file"], "--apply", typed="kuma")
    assert code == 0, shown
    assert tree(yard.data) == DATA
    aside = [path for path in yard.data.parent.iterdir() if ".before-" in path.name]
    assert [tree(path)["a.txt"] for path in aside] == ["newer\n"]
    rows = yard.ask("list", "kuma")[1]["backups"]
    assert [each["purpose"] for each in rows] == ["safety", "regular"]
    assert yard.ask("show", "kuma@latest")[1]["manifest"]["file"] == row["file"]


@pytest.mark.contract("N14")
def test_a_restore_that_fails_half_way_leaves_everything_as_it_was(yard: Yard) -> None:
    row = yard.take()
    (yard.data / "a.txt").write_text("newer\n")
    limited = ["prlimit", "--fsize=2"]
    said = yard.under(*limited, words=("restore", row["file"], "--apply", "--confirm", "kuma", "--no-safety-backup"))
    assert said.code == 1, said
    assert (yard.data / "a.txt").read_text() == "newer\n"
    assert [path.name for path in yard.data.parent.iterdir() if "before" in path.name or "restore" in path.name] == []


@pytest.mark.contract("N14")
@pytest.mark.parametrize("where", ["in place", "into a folder"])
def test_a_rotten_backup_is_refused_before_anything_is_touched_and_is_good_no_more(
    yard: Yard, tmp_path: Path, where: str
) -> None:
    row = yard.take()
    path = Path(row["path"])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    before = yard.names()
    into = ("--into", str(tmp_path / "out")) if where == "into a folder" else ()
    code, found = yard.ask("restore", row["file"], *into, "--apply", "--confirm", "kuma")
    assert (code, found["error"]["id"]) == (1, "verify-failed")
    assert "is not good" in found["error"]["message"]
    assert yard.names() == before
    assert not (tmp_path / "out").exists()
    assert not yard.ask("list")[1]["backups"][0]["good"]


@pytest.mark.contract("N14")
def test_a_backup_of_another_engine_is_restored_to_no_module(yard: Yard) -> None:
    file = yard.take()["file"]
    yard.define_all({"name": "kuma", "class": "B", "redis": {"socket": "/nonexistent"}, "container_engine": "none"})
    for more in ((), ("--apply", "--confirm", "kuma")):
        code, found = yard.ask("restore", file, *more)
        assert (code, found["error"]["id"]) == (2, "usage"), found
        assert found["error"]["message"] == f"{file} is of the engine files, kuma of redis"
    assert (yard.data / "a.txt").read_text() == DATA["a.txt"]


def test_into_wants_an_empty_folder(yard: Yard, tmp_path: Path) -> None:
    row = yard.take()
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").touch()
    assert yard.run("restore", row["file"], "--into", str(full), "--apply", "--confirm", "kuma").code == 2
    assert [path.name for path in full.iterdir()] == ["x"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "empty")
    words = ("--into", str(tmp_path / "linked"), "--apply", "--confirm", "kuma")
    assert yard.run("restore", row["file"], *words).code == 2
    assert list((tmp_path / "empty").iterdir()) == []
    yard.define_all({"name": "other"})
    assert yard.run("restore", row["file"], "--into", str(tmp_path / "new"), "--apply", "--confirm", "kuma").code == 0
    assert tree(tmp_path / "new" / str(yard.data).lstrip("/")) == DATA


@pytest.mark.contract("B6", "N11")
def test_prune_plans_asks_and_keeps_the_last_good_one(yard: Yard) -> None:
    rows = [yard.take() for _ in range(3)]
    code, found = yard.ask("prune", "kuma", "--keep-last", "1", "--detailed-exitcode")
    assert (code, found["applied"]) == (10, False)
    assert {each["file"] for each in found["remove"]} == {row["file"] for row in rows[:2]}
    assert yard.run("prune", "kuma", "--keep-last", "1", "--apply").code == 77
    (yard.root / "kuma-20200101T000000Z.tar.gz").write_text("somebody else's")
    code, found = yard.ask("prune", "kuma", "--keep-last", "1", "--apply", "--yes")
    assert (code, sorted(found["removed"])) == (0, sorted(row["file"] for row in rows[:2]))
    assert yard.names() == sorted([rows[2]["file"], f"{rows[2]['file']}.manifest.json", "kuma-20200101T000000Z.tar.gz"])


@pytest.mark.contract("B6", "N11")
def test_prune_reads_the_newest_good_one_again_and_removes_nothing_when_it_is_rotten(yard: Yard) -> None:
    rows = [yard.take() for _ in range(3)]
    path = Path(rows[2]["path"])
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    before = yard.names()
    code, found = yard.ask("prune", "kuma", "--keep-last", "1", "--apply", "--yes")
    assert (code, found["removed"], found["applied"]) == (1, [], False)
    assert yard.names() == before
    assert not yard.ask("list")[1]["backups"][0]["good"]


@pytest.mark.contract("B9")
def test_a_dry_run_touches_nothing_and_needs_nobody(yard: Yard) -> None:
    code, found = yard.ask("run", "kuma", "--dry-run", "--detailed-exitcode")
    assert code == 10
    planned = found["planned"][0]
    assert (planned["module"], planned["class"], planned["level"], planned["quiesce"]) == ("kuma", "E", 2, [])
    assert planned["estimate_bytes"] > 0
    assert planned["free_bytes"] > 0
    assert not yard.root.exists()


def test_a_backup_that_shrank_warns_and_strict_tells(yard: Yard) -> None:
    (yard.data / "big").write_bytes(os.urandom(1 << 20))
    yard.take()
    (yard.data / "big").unlink()
    code, found = yard.ask("run", "kuma", "--allow-unattended", "--strict")
    assert code == 8
    assert "shrunk" in [warning["id"] for warning in found["backups"][0]["warnings"]]
    assert yard.ask("list")[1]["backups"][0]["change_percent"] < -90


def test_a_backup_that_only_packs_better_has_not_shrunk(yard: Yard) -> None:
    (yard.data / "big").write_bytes(os.urandom(1 << 20))
    yard.take()
    (yard.data / "big").write_bytes(bytes(1 << 20))
    row = yard.take()
    assert row["bytes"] < 1 << 17
    assert "shrunk" not in [warning["id"] for warning in row["warnings"]]


@pytest.mark.contract("B8")
def test_several_modules_at_once_and_one_that_fails(yard: Yard) -> None:
    common = {"restore_notes": "none", "health": {"none": True}}
    yard.define_all(
        {"name": "one", "files": {"paths": [str(yard.data)]}, **common},
        {"name": "two", "files": {"paths": ["/no/such/place"]}, **common},
        {"name": "three", "files": {"paths": [str(yard.data)]}, **common},
        {"name": "parked", "files": {"paths": [str(yard.data)]}, "lifecycle": "parked", **common},
        {"name": "some-redis", **common},
    )
    code, found = yard.ask("run", "--all", "--jobs", "3", "--allow-unattended")
    assert code == 4
    assert [row["module"] for row in found["backups"]] == ["one", "three"]
    assert [(row["module"], row["exit_code"]) for row in found["failed"]] == [("two", 4)]
    code, found = yard.ask("run", "parked", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (4, "excluded")
    rows = yard.ask("audit")[1]
    assert rows["summary"]["by_class"] == {"B": 1, "E": 4}
    assert rows["summary"]["excluded"] == 1


def test_cat_gives_the_bytes_and_checks_them(yard: Yard) -> None:
    row = yard.take()
    done = subprocess.run(
        yard.terminal.argv("backup", "cat", row["file"], "--plain"),
        cwd=yard.terminal.folder, env=yard.terminal.environment, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert b"second\n" in done.stdout
    path = Path(row["path"])
    path.write_bytes(path.read_bytes()[:-8])
    assert yard.run("cat", row["file"], "--plain").code == 1


@pytest.mark.contract("B8", "N8")
def test_a_definition_that_is_wrong_says_where_and_never_repeats_a_secret(yard: Yard) -> None:
    yard.terminal.write(
        "backup.yml",
        """\
        version: 1
        modules:
          - name: pg
            postgres:
              pasword: env:X
              password: hunter2secret
            levl: 2
        """,
    )
    said = yard.run("run", "pg", "--allow-unattended", "--format", "json")
    message = json.loads(said.out)["error"]["message"]
    assert said.code == 3
    assert "backup.yml:5:7" in message
    assert "backup.yml:6:17" in message
    assert "backup.yml:7:5" in message
    assert 'did you mean "password"?' in said.err
    assert "hunter2secret" not in said.out + said.err


@pytest.mark.slow
@pytest.mark.contract("B11")
def test_memory_does_not_grow_with_what_is_backed_up(yard: Yard) -> None:
    def peak_kib(*words: str) -> int:
        process = yard.start(*words)
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout as out, process.stderr:
            out.read()
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_maxrss

    words = ("run", "kuma", "--allow-unattended", "--format", "json")
    small = peak_kib(*words)
    block = os.urandom(1 << 20)
    with (yard.data / "large").open("wb") as file:
        for _ in range(96):
            file.write(block)
    for folder in range(10):
        (yard.data / str(folder)).mkdir()
        for number in range(300):
            (yard.data / str(folder) / str(number)).write_bytes(b"x")
    assert peak_kib(*words) - small <= 64 << 10
    assert peak_kib("drill", "kuma@latest") - small <= 64 << 10


@pytest.mark.contract("B10")
def test_json_is_one_object_also_when_options_do_not_go_together_and_when_the_whole_command_fails(yard: Yard) -> None:
    for words in (("verify",), ("run", "kuma", "--detailed-exitcode"), ("prune", "--keep-last", "0")):
        code, found = yard.ask(*words)
        assert (code, found["ok"], found["error"]["id"]) == (2, False, "usage")
    code, found = yard.ask("audit", "--max-age", "1h")
    assert (code, found["error"]["id"]) == (1, "not-found")


@pytest.mark.contract("B10")
def test_what_a_target_lacks_is_told_before_anything_is_touched(yard: Yard) -> None:
    keys = {"endpoint": "http://127.0.0.1:9", "bucket": "abc", "access_key": "env:NOT_SET", "secret_key": "env:NOT_SET"}
    yard.define(targets=[{"s3": keys}])
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["backups"], found["failed"][0]["error"]) == (3, [], "invalid")
    assert not yard.root.exists()


@pytest.mark.contract("B4", "N6")
def test_a_thaw_of_the_operators_that_fails_is_told_whatever_it_says(yard: Yard, tmp_path: Path) -> None:
    thaw = ["sh", "-c", "echo Invalid argument: not paused >&2; exit 1"]
    yard.define(quiesce={"mode": "command", "freeze": ["touch", str(tmp_path / "held")], "thaw": thaw})
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (1, "quiesce-failed")
    assert yard.names() == []
    assert [left["kind"] for left in yard.ask("list")[1]["leftovers"]] == ["quiesce"]
    assert yard.ask("recover")[0] == 1


@pytest.mark.contract("B4", "N6")
def test_a_file_system_is_frozen_and_thawed_and_never_that_of_backup_root_or_of_tmpdir(tmp_path: Path) -> None:
    programs, mounted, log = tmp_path / "bin", tmp_path / "mounted", tmp_path / "log"
    programs.mkdir()
    mounted.mkdir()
    (programs / "fsfreeze").write_text(f'#!/bin/sh\necho "$@" >>{log}\n')
    (programs / "fsfreeze").chmod(0o755)
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(mounted)], check=False, capture_output=True).returncode:
        pytest.skip("no right to mount")
    try:
        (mounted / "file").write_text("x")
        path = f"{programs}:{os.environ['PATH']}"
        yard = yard_in(tmp_path, PATH=path)
        keys = {"files": {"paths": [str(mounted)]}, "quiesce": {"mode": "fsfreeze", "mountpoint": str(mounted)}}
        yard.define(**keys)
        assert yard.take()["consistency"] == "quiesced"
        assert log.read_text().splitlines() == [f"--freeze {mounted}", f"--unfreeze {mounted}"]
        log.unlink()
        code, found = yard.ask("restore", "kuma@latest", "--apply", "--confirm", "kuma")
        assert (code, found["error"]["id"]) == (4, "ambiguous")  # a mount point cannot be put aside
        terminal = dataclasses.replace(yard.terminal, variables={"PATH": path, "TMPDIR": str(mounted)})
        yard = dataclasses.replace(yard, terminal=terminal)
        code, found = yard.ask("run", "kuma", "--allow-unattended")
        assert (code, found["failed"][0]["error"]) == (4, "unsafe-root")
        assert not log.exists()
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


@pytest.mark.contract("B5")
def test_lists_of_rights_and_attributes_come_back(yard: Yard) -> None:
    if shutil.which("setfacl") is None:
        assert os.environ.get("CI") != "true", "no setfacl"
        pytest.skip("no setfacl")

    def rights(path: Path) -> str:
        return subprocess.run(["getfacl", "-nep", str(path)], check=True, capture_output=True, text=True).stdout

    places = (yard.data / "a.txt", yard.data / "sub")
    subprocess.run(["setfacl", "-m", "u:1234:rw,g:777:r", str(places[0])], check=True)
    subprocess.run(["setfacl", "-d", "-m", "u:1234:rwx", str(places[1])], check=True)
    os.setxattr(places[0], "user.note", b"odd \0\xff")
    before = [rights(place) for place in places]
    yard.take()
    code, found = yard.ask("restore", "kuma@latest", "--apply", "--confirm", "kuma")
    assert (code, found["applied"]) == (0, True)
    assert [rights(place) for place in places] == before
    assert os.getxattr(places[0], "user.note") == b"odd \0\xff"


@pytest.mark.contract("B2", "N7")
def test_a_manifest_that_is_a_pipe_or_a_link_is_none_and_a_root_of_others_proves_nothing(
    yard: Yard, tmp_path: Path
) -> None:
    manifest = Path(yard.take()["manifest"])
    manifest.rename(tmp_path / "manifest")
    for is_pipe in (True, False):
        if is_pipe:
            os.mkfifo(manifest)
        else:
            manifest.symlink_to(tmp_path / "manifest")
        code, found = yard.ask("list")
        assert (code, found["backups"], [left["kind"] for left in found["leftovers"]]) == (0, [], ["no-manifest"])
        manifest.unlink()
    (tmp_path / "manifest").rename(manifest)
    assert yard.ask("require", "kuma")[0] == 0
    yard.root.chmod(0o770)
    code, found = yard.ask("require", "kuma")
    assert (code, found["error"]["id"]) == (4, "unsafe-root")
