"""The shipped playbooks that fan out end as they do without: in processes, and on a cluster."""

import json
from pathlib import Path

import pytest

from benchmarks.generate import write_export
from dce_play.resources import playbooks_folder
from tests.support.command_line import Terminal, terminal_in
from tests.support.dask_cluster import dask_cluster
from tests.support.reports import comparable, item_runs, whole_runs

FANNING = ("audit", "backups", "proof", "validation")
_FAN = "    fan_out: true"


def plain(terminal: Terminal, name: str) -> str:
    """Write a shipped playbook without its ``fan_out`` into the project, and return its file's name."""
    lines = (playbooks_folder() / f"{name}.yml").read_text(encoding="utf-8").splitlines()
    terminal.write("plain.yml", "\n".join(line for line in lines if not line.startswith(_FAN)) + "\n")
    return "plain.yml"


@pytest.mark.contract("T6")
def test_they_say_so() -> None:
    found = {path.stem for path in playbooks_folder().glob("*.yml") if _FAN in path.read_text(encoding="utf-8")}
    assert found == set(FANNING)


@pytest.mark.contract("T6")
def test_an_audit_of_several_targets_ends_as_one_after_another(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    terminal = terminal_in(tmp_path)
    root = terminal.folder / "archives"
    targets = [{"name": name, "output_dir": str(root / name)} for name in ("north", "south", "west")]
    for target in targets:
        Path(target["output_dir"]).mkdir(parents=True)
        write_export(Path(target["output_dir"]) / "channel.json", range(5))
    damaged = root / "south" / "channel.json"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    terminal.write("scrape-targets.json", json.dumps({"archive_root": str(root), "targets": targets}))
    (tmp_path / "cluster").mkdir()
    with dask_cluster(tmp_path / "cluster") as cluster:
        cluster.start_worker(terminal, "here", "--slots", "2")
        ways = [(plain(terminal, "audit"),), ("audit", "--jobs", "2"), ("audit", "--cluster", cluster.address)]
        codes = [terminal.run("run", *words, "--full").code for words in ways]
    assert codes == [1, 1, 1]
    alone, jobs, fanned = whole_runs(terminal.folder / "state")
    assert comparable(jobs) == comparable(fanned) == comparable(alone)
    assert [len(item_runs(folder)) for folder in (alone, jobs, fanned)] == [0, 6, 6]


@pytest.mark.contract("T6")
def test_backups_of_several_modules_end_as_one_after_another(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    (terminal.folder / "backups").mkdir(mode=0o700)
    modules = [
        {"name": name, "class": "E", "restore_notes": "none", "health": {"none": True},
         "files": {"paths": [str(terminal.folder / name)]}}
        for name in ("kuma", "gone", "notes")
    ]  # fmt: skip
    for name in ("kuma", "notes"):
        terminal.write(f"{name}/text", name)
    terminal.write("backup.yml", json.dumps({"version": 1, "backup_root": "backups", "modules": modules}))
    words = ("--modules", "kuma", "--modules", "gone", "--modules", "notes", "--allow-unattended")
    codes = [
        terminal.run("run", plain(terminal, "backups"), *words).code,
        terminal.run("run", "backups", *words, "--jobs", "2").code,
    ]
    assert codes[0] == codes[1] != 0
    reports = [comparable(folder) for folder in whole_runs(terminal.folder / "state")]
    alone, jobs = ([(step["id"], step["status"], step["error"]) for step in report["steps"]] for report in reports)
    assert alone == jobs
    assert {status for _, status, _ in jobs} >= {"changed", "failed"}
    assert len(list((terminal.folder / "backups").glob("*.manifest.json"))) == 4
