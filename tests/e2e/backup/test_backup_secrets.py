"""A password while a backup is taken: in the environment of the one program that needs it, and nowhere else.

strace shows argv and environment of every program that is started, however short it lives.
"""

import os
import re
from pathlib import Path

import pytest

from dce_play.backup.service.services import SECRET_VARIABLES
from tests.support.backups import Yard, yard_in
from tests.support.call_order import tracer
from tests.support.redis_server import redis_server

pytestmark = pytest.mark.strace

SECRET = "zq-marker-3b81-never-shown"
_STARTED = re.compile(r'execve\("(?P<program>[^"]*)", \[(?P<argv>.*?)\], \[(?P<environment>.*)\]\)? ')


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return yard_in(tmp_path)


@pytest.mark.contract("B7", "N8")
@pytest.mark.parametrize("reach", [True, False])
def test_a_password_is_in_no_argv_and_only_in_the_environment_of_the_client(
    yard: Yard, tmp_path: Path, reach: bool
) -> None:
    log = tmp_path / "started"
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)
    with redis_server(
        "--appendonly", "yes", "--requirepass", SECRET, auth=("-a", SECRET, "--no-auth-warning")
    ) as server:
        place = {"data_folder": str(server.folder)} if reach else {}
        hooks = {"before": ["true"], "after": ["true"]}
        keys = {"socket": str(server.socket), "password": f"file:{secret}", **place}
        yard.define_all(
            {"name": "redis", "redis": keys, "restore_notes": "none", "health": {"none": True}, "hooks": hooks}
        )
        words = (*tracer(), "-qq", "-v", "-s", "100000", "-o", str(log), "-e", "trace=execve")
        said = yard.under(*words, words=("run", "redis", "--allow-unattended"))
        assert said.code == 0, said
    started = [found for line in log.read_text(errors="replace").splitlines() if (found := _STARTED.search(line))]
    programs = {Path(each["program"]).name for each in started}
    assert {"redis-cli", "true"} <= programs
    assert [each["argv"] for each in started if SECRET in each["argv"]] == []
    told = {Path(each["program"]).name for each in started if SECRET in each["environment"]}
    guard = {"sh", "cat"}  # what sets a setting of the server back when we are killed, with the same client
    assert told - guard == {"redis-cli"}
    assert SECRET not in said.out + said.err
    assert not [path for path in yard.root.rglob("*.json") if SECRET in path.read_text()]


@pytest.mark.contract("B7", "N8")
@pytest.mark.parametrize("way", ["the command", "a playbook"])
def test_a_token_of_the_environment_reaches_no_hook_and_no_compressor(tmp_path: Path, way: str) -> None:
    packing, hooked, programs = tmp_path / "packing", tmp_path / "hooked", tmp_path / "bin"
    programs.mkdir()
    for name in ("pigz", "gzip"):
        (programs / name).write_text(f"#!/bin/sh\nenv >>{packing}\nexec /bin/gzip -c\n")
        (programs / name).chmod(0o755)
    tokens = dict.fromkeys(sorted(SECRET_VARIABLES), SECRET)
    yard = yard_in(tmp_path, PATH=f"{programs}:{os.environ['PATH']}", **tokens)
    yard.define(hooks={"before": ["sh", "-c", f"env >>{hooked}"], "after": ["sh", "-c", f"env >>{hooked}"]})
    if way == "the command":
        said = yard.run("run", "kuma", "--allow-unattended")
    else:
        said = yard.terminal.run("run", "backup-before-apply", "--module", "kuma", "--allow-unattended")
    assert said.code == 0, said
    assert (packing.read_text().count("PATH=/") > 0, hooked.read_text().count("DCE_BACKUP_MODULE=kuma")) == (True, 2)
    assert SECRET not in packing.read_text()
    told = {line.partition("=")[0] for line in hooked.read_text().splitlines() if SECRET in line}
    assert told <= ({"AWS_ACCESS_KEY_ID"} if way == "a playbook" else set())  # which is a name, and no secret
