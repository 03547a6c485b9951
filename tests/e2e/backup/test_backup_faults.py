"""What must never happen to a backup: whatever fails, nothing is left that looks like one, and the last one stays."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.backups import Yard, at_terminal, wait_for, yard_in
from tests.support.call_order import tracer

pytestmark = pytest.mark.strace

RUN = ("run", "kuma", "--allow-unattended", "--format", "json")


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return yard_in(tmp_path)


def needs(program: str) -> None:
    if shutil.which(program) is None:
        assert os.environ.get("CI") != "true", f"no {program}"
        pytest.skip(f"no {program}")


def slow_hook(yard: Yard) -> tuple[str, ...]:
    """Return a hook that says that it runs, and then waits."""
    return ("sh", "-c", f"touch {yard.data.parent}/hooked; exec sleep 60")


def calls(yard: Yard, name: str, trace: Path) -> int:
    """Return how many calls of a kind a whole run makes on files of backup_root."""
    said = yard.under(*tracer(), "-y", "-qq", "-o", str(trace), f"-etrace={name}", words=RUN)
    assert said.code == 0, said
    found = [line for line in trace.read_text(errors="replace").splitlines() if f"{name}(" in line]
    return len(found)


@pytest.mark.contract("B2", "N9")
@pytest.mark.parametrize(
    ("call", "error"), [("fsync", "EIO"), pytest.param("fsync", "ENOSPC", marks=pytest.mark.soak), ("rename", "EIO")]
)
def test_a_run_that_cannot_write_leaves_neither_a_name_nor_a_part(
    yard: Yard, tmp_path: Path, call: str, error: str
) -> None:
    needs("strace")
    first = yard.take()
    count = calls(yard, call, tmp_path / "trace")
    before = yard.names()
    seen = set()
    for at in range(1, count + 1):
        inject = f"-einject={call}:error={error}:when={at}"
        said = yard.under(*tracer(inject), "-qq", "-o", "/dev/null", f"-etrace={call}", inject, words=RUN)
        if said.code == 0:
            continue  # a call of the interpreter's own
        failed = json.loads(said.out)
        seen.add((failed["failed"][0] if failed["failed"] else failed)["error"])
        assert said.code in {1, 4}, said
        assert yard.names() == before
    assert seen <= {"write-failed", "no-space", "unsafe-root"}
    assert seen
    assert yard.ask("verify", first["file"])[0] == 0


@pytest.mark.contract("B2", "N10")
def test_a_run_that_is_killed_leaves_at_most_a_part_which_the_next_one_sweeps(yard: Yard, tmp_path: Path) -> None:
    needs("strace")
    for call, every in (("fsync", 1), ("rename", 1), ("write", 25)):
        count = calls(yard, call, tmp_path / "trace")
        for at in range(1, count + 1, every):
            before = yard.names()
            inject = f"-einject={call}:signal=SIGKILL:when={at}"
            said = yard.under("strace", "-qq", "-o", "/dev/null", f"-etrace={call}", inject, words=RUN)
            new = [name for name in yard.names() if name not in before]
            finals = [name for name in new if re.fullmatch(r"kuma-\d{8}T\d{6}Z\.tar\.gz", name)]
            there = yard.names()  # a manifest may stand here since a kill of this same second
            assert all(f"{name}.manifest.json" in there for name in finals), (call, at, new, said.code)
            if call == "write" and at > 60:
                break
    yard.take()
    assert [name for name in yard.names() if name.endswith((".part", ".tmp"))] == []
    assert yard.ask("list")[1]["leftovers"] == []


@pytest.mark.contract("B2", "N9")
def test_a_backup_that_may_not_grow_leaves_the_last_good_one_alone(yard: Yard) -> None:
    first = yard.take()
    (yard.data / "big").write_bytes(os.urandom(4 << 20))
    before = yard.names()
    said = yard.under("prlimit", f"--fsize={1 << 20}", words=RUN)
    assert said.code == 1, said
    assert json.loads(said.out)["failed"][0]["error"] == "write-failed"
    assert yard.names() == before
    assert yard.ask("verify", first["file"])[0] == 0


@pytest.mark.root
@pytest.mark.contract("B2", "N9")
def test_no_room_is_refused_before_anything_is_touched(yard: Yard) -> None:
    yard.root.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", yard.root], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no tmpfs may be mounted here")
    try:
        (yard.data / "big").write_bytes(os.urandom(8 << 20))
        code, found = yard.ask("run", "kuma", "--allow-unattended")
        assert (code, found["failed"][0]["error"]) == (4, "no-space")
        assert yard.names() == []
        (yard.data / "big").write_bytes(os.urandom(1 << 20))
        code, found = yard.ask("run", "kuma", "--allow-unattended")
        assert (code, found["failed"][0]["error"]) == (1, "no-space")
        assert yard.names() == []
    finally:
        subprocess.run(["umount", yard.root], check=True)


@pytest.mark.contract("B2", "N7")
def test_an_unsafe_backup_root_is_refused_and_a_planted_file_is_never_followed(yard: Yard, tmp_path: Path) -> None:
    yard.root.mkdir(mode=0o700)
    yard.root.chmod(0o750)
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (4, "unsafe-root")
    yard.root.chmod(0o700)
    real = yard.root.rename(tmp_path / "elsewhere")
    yard.root.symlink_to(real)
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (4, "unsafe-root")
    assert list(real.iterdir()) == []
    if os.geteuid() == 0:
        yard.root.unlink()
        yard.root.mkdir(mode=0o700)
        os.chown(yard.root, 65534, 65534)
        assert yard.ask("run", "kuma", "--allow-unattended")[1]["failed"][0]["error"] == "unsafe-root"


@pytest.mark.contract("B4")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_its_code_and_the_after_hook_runs(yard: Yard, number: signal.Signals) -> None:
    marks = yard.data.parent
    yard.define(hooks={"before": list(slow_hook(yard)), "after": ["touch", f"{marks}/after"]})
    process = yard.start(*RUN)
    wait_for((marks / "hooked").exists, within_s=20, what="the before hook")
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert json.loads(out)["error"]["id"] == "interrupted"
    assert yard.names() == []
    assert (marks / "after").exists()


@pytest.mark.contract("B4", "B10", "N1")
def test_a_hook_that_fails_means_no_backup_and_the_after_hook_runs_all_the_same(yard: Yard) -> None:
    mark = yard.data.parent / "after"
    yard.define(hooks={"before": ["false"], "after": ["sh", "-c", f'echo "$DCE_BACKUP_MODULE" > {mark}']})
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"], yard.names()) == (1, "hook-failed", [])
    assert mark.read_text() == "kuma\n"
    yard.define(hooks={"after": ["false"]})
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"], yard.names()) == (1, "hook-failed", [])


@pytest.mark.contract("B10", "N1", "N2")
def test_a_compressor_that_fails_fails_the_backup(yard: Yard, tmp_path: Path) -> None:
    whole = f"{shutil.which('gzip')} -c; exit 4"  # only its exit code tells
    fates = {"at once": "exit 3", "late": "cat >/dev/null; exit 4", "half": "head -c 100; exit 0", "whole": whole}
    for name, script in fates.items():
        folder = tmp_path / name
        folder.mkdir()
        for program in ("pigz", "gzip"):
            (folder / program).write_text(f"#!/bin/sh\n{script}\n")
            (folder / program).chmod(0o755)
        broken = yard_in(tmp_path / f"yard {name}", PATH=f"{folder}:{os.environ['PATH']}")
        code, found = broken.ask("run", "kuma", "--allow-unattended")
        assert code == 1
        said = found["failed"][0]["error"]
        assert said in ({"truncated", "verify-failed"} if name == "half" else {"engine-failed"}), name
        assert broken.names() == []


@pytest.mark.contract("B4")
def test_an_unhealthy_service_is_refused_and_one_that_falls_ill_keeps_its_backup(yard: Yard) -> None:
    sick = yard.data.parent / "sick"
    health = {"command": ["sh", "-c", f"test ! -e {sick}"], "grace": "200ms", "interval": "100ms"}
    yard.define(health=health)
    sick.touch()
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"], yard.names()) == (4, "unhealthy", [])
    code, _ = yard.ask("run", "kuma", "--allow-unattended", "--force-unhealthy")
    sick.unlink()
    yard.define(health=health, hooks={"after": ["touch", str(sick)]})
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (1, "health-after")
    assert found["backups"][0]["file"] in yard.names()
    assert found["backups"][0]["health"] == {"before": "healthy", "after": "unhealthy"}


def test_cat_onto_a_full_disk_fails_in_one_sentence(yard: Yard) -> None:
    row = yard.take()
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            yard.terminal.argv("backup", "cat", row["file"]),
            cwd=yard.terminal.folder, env=yard.terminal.environment, stdout=full, stderr=subprocess.PIPE,
            check=False, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr.strip()) == (1, b"error: standard output: no space left on device")


@pytest.mark.contract("B12")
def test_two_at_once_of_one_module_are_one_too_many(yard: Yard) -> None:
    yard.define(hooks={"before": list(slow_hook(yard))})
    process = yard.start(*RUN)
    try:
        wait_for((yard.data.parent / "hooked").exists, within_s=20, what="the before hook")
        code, found = yard.ask("run", "kuma", "--allow-unattended")
        assert (code, found["failed"][0]["error"]) == (75, "lock-held")
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_deadline_ends_it_with_124(yard: Yard) -> None:
    yard.define(hooks={"before": list(slow_hook(yard))})
    code, found = yard.ask("run", "kuma", "--allow-unattended", "--timeout", "1s")
    assert (code, found["error"]["id"], yard.names()) == (124, "timeout", [])


@pytest.mark.contract("B1", "N13")
def test_a_person_at_a_terminal_may_and_nobody_else(yard: Yard) -> None:
    said = yard.run("run", "kuma")
    assert (said.code, said.out) == (77, "")
    assert not yard.root.exists()
    code, shown = at_terminal(yard, "run", "kuma")
    assert code == 0, shown
    manifest = json.loads((yard.root / next(name for name in yard.names() if "manifest" in name)).read_text())
    assert manifest["operator"]["attended"] is True
    assert manifest["operator"]["terminal"].startswith("/dev/pts/")
    ci = Yard(terminal=yard_in(yard.data.parent / "ci", CI="true").terminal, data=yard.data, root=yard.root)
    ci.define()
    assert at_terminal(ci, "run", "kuma")[0] == 77
    unit = Yard(terminal=yard_in(yard.data.parent / "unit", INVOCATION_ID="x").terminal, data=yard.data, root=yard.root)
    unit.define()
    assert at_terminal(unit, "run", "kuma")[0] == 0


@pytest.mark.contract("B1", "N13")
def test_a_program_below_cron_is_nobody(yard: Yard, tmp_path: Path) -> None:
    fake = tmp_path / "cron"
    shutil.copy("/bin/sh", fake)
    script = f"{sys.executable} -m dce_play backup run kuma; code=$?; exit $code"
    done = subprocess.run(
        ["script", "-qec", f"{fake} -c '{script}'", "/dev/null"],
        cwd=yard.terminal.folder, env=yard.terminal.environment, stdin=subprocess.DEVNULL, capture_output=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 77, done
    assert b"cron started it" in done.stdout
    assert not yard.root.exists()


@pytest.mark.contract("B1", "N13")
def test_playbooks_that_take_a_backup_need_a_person_too_and_cron_gets_none(yard: Yard) -> None:
    terminal = yard.terminal
    said = terminal.run("run", "backup-before-apply", "--module", "kuma")
    assert said.code == 77, said
    assert not yard.root.exists()
    said = terminal.run("run", "backup-before-apply", "--module", "kuma", "--drill", "--allow-unattended")
    assert said.code == 0, said
    assert "needs an approval of its own" in said.out
    targets = {"name": "a", "output_dir": "/srv/a", "channel_ids": ["754679440998400000"]}
    terminal.write("t.yml", json.dumps({"archive_root": "/srv", "targets": [targets]}))
    terminal.write("cron.yml", "name: cron\nsummary: s\nsteps:\n  - schedule.cron: {playbook: backup-before-apply}\n")
    said = terminal.run("run", "cron.yml", "--config", "t.yml")
    assert said.code == 3, said
    assert "cron must not" in said.out + said.err


@pytest.mark.contract("B1", "N13")
def test_the_role_demands_and_takes_none(yard: Yard) -> None:
    yard.terminal.write(
        "apply.yml", "name: apply\nsummary: s\nsteps:\n  - role: backup_before_apply\n    vars: {module: kuma}\n"
    )
    assert yard.terminal.run("run", "apply.yml").code == 1
    assert not yard.root.exists()
    yard.take()
    assert yard.terminal.run("run", "apply.yml").code == 0


@pytest.mark.contract("B7", "N8")
def test_a_secret_is_nowhere_while_it_runs_and_nowhere_after(yard: Yard, tmp_path: Path) -> None:
    secret = "zq-marker-9f27-never-shown"
    hidden = yard_in(tmp_path / "hidden", PGPASS_TEST=secret)
    hidden.define_all(
        {"name": "kuma", "files": {"paths": [str(hidden.data)]}, "restore_notes": "none", "health": {"none": True},
         "redis": {"password": "env:PGPASS_TEST"},
         "hooks": {"before": ["sh", "-c", f"env > {tmp_path}/seen; ps -ef > {tmp_path}/ps"]}},
    )  # fmt: skip
    said = hidden.run("run", "kuma", "--allow-unattended", "--log-file", str(tmp_path / "log"))
    assert said.code == 0, said
    texts = [path.read_text(errors="replace") for path in tmp_path.iterdir() if path.is_file()]
    texts += [path.read_text() for path in hidden.root.glob("*.json")]
    assert secret not in said.out + said.err + "".join(texts)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) & 0o077 == 0
