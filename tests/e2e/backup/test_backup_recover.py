"""``recover`` beside a run that is under way, and checks that cannot be made: neither spoils what is well."""

from pathlib import Path

import pyrage
import pytest

from tests.support.backups import Yard, wait_for, yard_in
from tests.support.redis_server import fill, redis_server


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return yard_in(tmp_path)


@pytest.mark.contract("B12")
def test_what_a_run_is_at_work_on_is_left_alone(yard: Yard, tmp_path: Path) -> None:
    hooked, go = tmp_path / "hooked", tmp_path / "go"
    wait = f"touch {hooked}; until [ -e {go} ]; do sleep 0.05; done"
    yard.define(hooks={"before": ["sh", "-c", wait]})
    process = yard.start("run", "kuma", "--allow-unattended")
    try:
        wait_for(hooked.exists, within_s=30, what="the before hook")
        (part,) = yard.names()
        code, found = yard.ask("recover")
        assert (code, found["error"]["id"], found["removed"]) == (1, "lock-held", [])
        assert yard.names() == [part]
    finally:
        go.touch()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert yard.ask("verify", "kuma@latest")[0] == 0


@pytest.mark.contract("B5", "E1")
def test_a_wrong_key_says_nothing_of_the_backup(yard: Yard, tmp_path: Path) -> None:
    own, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, identity in (("own", own), ("other", other)):
        (tmp_path / name).write_text(str(identity))
    file = yard.take("--encrypt-to", str(own.to_public()))["file"]
    code, found = yard.ask("verify", file, "--identity", f"file:{tmp_path / 'other'}")
    assert (code, found["error"]["id"]) == (3, "invalid"), found
    assert yard.ask("show", "kuma@latest")[1]["manifest"]["verification"]["good"]
    assert yard.ask("verify", file, "--identity", f"file:{tmp_path / 'own'}")[0] == 0


@pytest.mark.contract("B5", "N9")
def test_a_drill_that_finds_no_room_says_nothing_of_the_backup(yard: Yard) -> None:
    with (yard.data / "large").open("wb") as file:
        file.truncate(1 << 20)
        file.write(b"x" * (1 << 20))
    name = yard.take()["file"]
    said = yard.under("prlimit", f"--fsize={1 << 18}", words=("drill", name, "--format", "json"))
    assert (said.code, '"write-failed"' in said.out) == (1, True), said
    verification = yard.ask("show", name)[1]["manifest"]["verification"]
    assert (verification["good"], verification["level"], len(verification["checks"])) == (True, 2, 2)


@pytest.mark.contract("N14", "R7")
def test_a_restore_that_is_refused_takes_no_safety_backup(yard: Yard) -> None:
    with redis_server() as redis:
        fill(redis)
        where = {"socket": str(redis.socket)}
        yard.define_all({"name": "cache-redis", "redis": where, "restore_notes": "none", "container_engine": "none"})
        assert yard.ask("run", "cache-redis", "--allow-unattended")[0] == 0
        before = yard.names()
        code, found = yard.ask("restore", "cache-redis@latest", "--apply", "--confirm", "cache-redis")
        assert (code, found["error"]["id"]) == (2, "usage")
        assert [name for name in yard.names() if "manifest" not in name] == [
            name for name in before if "manifest" not in name
        ]
