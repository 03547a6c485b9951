"""The commands of docs/how-to/restore-class-C.md, -D.md and -F.md, run as they stand there (F: against a stub)."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.command_line import Terminal, terminal_in
from tests.support.meilisearch_stub import KEY, meilisearch_stub
from tests.support.pages import commands, run_command
from tests.support.real_engines import OpenBao, SeaweedFS, openbao, vault_call

pytestmark = [pytest.mark.slow]


def defined(tmp_path: Path, module: dict[str, Any]) -> Terminal:
    terminal = terminal_in(tmp_path)
    document = {"version": 1, "backup_root": str(tmp_path / "root"), "modules": [module]}
    (terminal.folder / "backup.yml").write_text(json.dumps(document), encoding="utf-8")
    return terminal


@pytest.mark.soak  # two servers more
@pytest.mark.contract("C7")
def test_class_c_is_restored_as_the_page_says(bao: OpenBao, tmp_path: Path) -> None:
    terminal = defined(tmp_path, {"name": "vault", "vault": {"address": bao.address}})
    (tmp_path / "keys").write_text(f"{bao.unseal}\n", encoding="utf-8")
    vault_call(bao.address, bao.root, "POST", "sys/mounts/page", {"type": "kv"})
    vault_call(bao.address, bao.root, "PUT", "page/entry", {"value": "before"})
    (tmp_path / "new").mkdir()
    with openbao(tmp_path / "new") as new:
        extra = {
            "VAULT_TOKEN": bao.root, "KEYS": str(tmp_path / "keys"), "FOLDER": str(tmp_path),
            "NEW_ADDRESS": new.address, "NEW_TOKEN": new.root,
        }  # fmt: skip
        for command in commands("restore-class-C.md"):
            if "--apply" in command:
                vault_call(bao.address, bao.root, "PUT", "page/entry", {"value": "after"})
            run_command(command, terminal, extra)
        entry = vault_call(bao.address, bao.root, "GET", "page/entry")
        # the keys are not those of the new server any more
        own = httpx2.get(f"{new.address}/v1/page/entry", headers={"X-Vault-Token": new.root}, trust_env=False)
    vault_call(bao.address, bao.root, "DELETE", "sys/mounts/page")
    assert entry["data"] == {"value": "before"}
    assert own.status_code != 200


@pytest.mark.contract("K7")
def test_class_d_is_restored_as_the_page_says(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    for key in ("one", "two/three"):
        bucket.put(key, key.encode(), only_new=True)
    keys = {
        "endpoint": f"http://127.0.0.1:{seaweed.port}", "bucket": bucket.place.bucket,
        "access_key": "env:ACCESS", "secret_key": "env:SECRET",
    }  # fmt: skip
    terminal = defined(tmp_path, {"name": "minio", "s3": keys})
    folder = tmp_path / "restored"
    extra = {"ACCESS": seaweed.admin[0], "SECRET": seaweed.admin[1], "FOLDER": str(folder)}
    for command in commands("restore-class-D.md"):
        if "--confirm" in command and "--into" not in command:
            bucket.put("one", b"other", only_new=False)
            bucket.delete("two/three")
        run_command(command, terminal, extra)
    for key in ("one", "two/three"):
        with bucket.open(key) as stream:
            assert b"".join(stream.chunks()) == key.encode()
        assert (folder / "objects" / key).read_bytes() == key.encode()
    members = (tmp_path / "restored.members").read_text(encoding="utf-8").split()
    assert members == ["objects/one", "objects/two/three", "index.jsonl"]


@pytest.mark.contract("L5")
def test_class_f_is_restored_as_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "dumps").mkdir()
    with meilisearch_stub(tmp_path / "dumps") as stub:
        keys = {"url": stub.url, "key": "env:MEILI_KEY", "dump_folder": str(stub.dumps)}
        terminal = defined(tmp_path, {"name": "karakeep-meilisearch", "meilisearch": keys})
        folder = tmp_path / "restored"
        for command in commands("restore-class-F.md"):
            run_command(command, terminal, {"MEILI_KEY": KEY, "FOLDER": str(folder)})
        (dump,) = folder.iterdir()
        assert dump.read_bytes() == stub.dump_bytes()
