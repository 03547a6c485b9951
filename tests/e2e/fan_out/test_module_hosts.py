"""``host:`` of a backup module: its items go to the workers of that host, and to nobody else."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import Terminal, terminal_in
from tests.support.dask_cluster import DaskCluster
from tests.support.reports import whole_runs

pytest.importorskip("distributed")

HOSTS = {"kuma": "lab1", "notes": "lab2"}
PLAYBOOK = """
name: backups
params:
  modules: {type: list, default: [kuma, notes], help: Names}
steps:
  - name: take {{ module }}
    loop: "{{ params.modules }}"
    as: module
    fan_out: true
    on_error: continue
    backup.take: {module: "{{ module }}"}
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path)
    modules = []
    for name, host in HOSTS.items():
        made.write(f"data/{name}", name)
        paths = {"paths": [str(made.folder / "data" / name)]}
        modules.append(
            {
                "name": name,
                "host": host,
                "class": "E",
                "files": paths,
                "restore_notes": "none",
                "health": {"none": True},
            }
        )
    made.write("backup.yml", json.dumps({"version": 1, "modules": modules}))
    made.write("backups.yml", PLAYBOOK)
    return made


def root(terminal: Terminal, host: str) -> Path:
    """Return the folder of a host's backups, which is nobody else's."""
    folder = terminal.folder / host
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@pytest.mark.contract("T3")
def test_a_modules_backup_is_taken_on_its_host(terminal: Terminal, cluster: DaskCluster) -> None:
    words = ("run", "backups.yml", "--allow-unattended", "--cluster", cluster.address)
    cluster.start_worker(terminal, "lab1", DCE_BACKUP_ROOT=str(root(terminal, "lab1")))
    refused = terminal.run(*words)
    assert refused.code == 4, refused.out + refused.err
    assert "no worker for the host lab2 (for notes)" in refused.err
    assert whole_runs(terminal.folder / "state") == []
    cluster.start_worker(terminal, "lab2", DCE_BACKUP_ROOT=str(root(terminal, "lab2")))
    done = terminal.run(*words)
    assert done.code == 0, done.out + done.err
    for name, host in HOSTS.items():
        assert {path.name.split("-2")[0] for path in root(terminal, host).glob("*.manifest.json")} == {name}
