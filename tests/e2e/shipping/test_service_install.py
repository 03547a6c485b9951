"""``dce-play service install`` as typed: roles, what it drains, what it restarts, exit codes, JSON."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import Said, Terminal
from tests.support.lab_hosts import LabHost

SOURCE = str(Path(__file__).parents[3])


def install(folder: Path, *words: str) -> Said:
    return Terminal(folder=folder).run("service", "install", *words, "--destdir", str(folder / "root"), "--no-venv")


@pytest.mark.contract("I1")
def test_every_role_gets_its_unit_and_the_schedule_its_timer(tmp_path: Path) -> None:
    words = ("shipper", "receiver", "schedule", "orchestrator", "--exec", "/bin/sleep 1", "--playbook", "proof")
    said = install(tmp_path, *words, "--on-calendar", "Sun 03:15", "--format", "json")
    assert said.code == 0, said.err
    units = tmp_path / "root/etc/systemd/system"
    assert sorted(path.name for path in units.iterdir()) == [
        "dce-play-orchestrator.service",
        "dce-play-receiver.service",
        "dce-play-schedule.service",
        "dce-play-schedule.timer",
        "dce-play-shipper.service",
    ]
    assert "OnCalendar=Sun 03:15" in (units / "dce-play-schedule.timer").read_text()
    assert set(json.loads(said.out)) == {"files", "restarted", "drained", "next"}
    assert not any("orchestrator" in command for command in json.loads(said.out)["next"])


@pytest.mark.contract("I1")
@pytest.mark.parametrize("words", [("orchestrator",), ("shipper", "receiver", "--unit-name", "x"), ("nothing",), ()])
def test_what_cannot_be_meant_is_a_usage_error(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert install(tmp_path, *words).code == 2
    assert not (tmp_path / "root").exists()


@pytest.mark.contract("I6")
def test_unstamped_episodes_are_drained_when_the_data_folder_lies_below_the_destdir(tmp_path: Path) -> None:
    host = LabHost(folder=tmp_path / "root/etc/dce-play", url="http://127.0.0.1:9")
    host.folder.mkdir(parents=True)
    host.write_config()
    host.episode("unstamped", commit=None)
    host.episode("stamped")
    said = install(tmp_path, "shipper", "--format", "json")
    assert said.code == 0, said.err
    drained = json.loads(said.out)["drained"]
    assert (drained["quarantined"], drained["kept"]) == (1, 1)
    assert host.where()["quarantine"] == ["unstamped"]


@pytest.mark.contract("I6")
def test_a_data_folder_outside_the_destdir_is_left_alone(tmp_path: Path) -> None:
    outside = LabHost(folder=tmp_path / "outside", url="http://127.0.0.1:9")
    outside.write_config()
    outside.episode("unstamped", commit=None)
    config = tmp_path / "root/etc/dce-play/ship.toml"
    config.parent.mkdir(parents=True)
    config.write_text(outside.config.read_text())
    said = install(tmp_path, "shipper", "--format", "json")
    assert json.loads(said.out)["drained"] is None
    assert outside.where()["episodes"] == ["unstamped"]


def test_a_second_run_has_nothing_to_do_and_says_so(tmp_path: Path) -> None:
    assert install(tmp_path, "shipper", "--source", SOURCE, "--detailed-exitcode").code == 10
    again = install(tmp_path, "shipper", "--source", SOURCE, "--detailed-exitcode", "--format", "json")
    assert again.code == 0
    assert {each["action"] for each in json.loads(again.out)["files"]} == {"unchanged", "kept"}


@pytest.mark.contract("I4")
def test_roles_installed_one_after_the_other_do_not_take_each_others_folders(tmp_path: Path) -> None:
    assert install(tmp_path, "shipper").code == 0
    assert install(tmp_path, "receiver").code == 0
    folders = (tmp_path / "root/etc/tmpfiles.d/dce-play.conf").read_text()
    assert "d /var/lib/dce-play/outbox " in folders
    assert "d /var/lib/dce-play/received " in folders
    for role in ("shipper", "receiver"):
        again = install(tmp_path, role, "--detailed-exitcode", "--format", "json")
        assert {each["action"] for each in json.loads(again.out)["files"]} == {"unchanged", "kept"}
        assert again.code == 0


def test_a_schedule_in_a_folder_writes_to_its_archive_and_one_without_a_targets_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    folder.mkdir()
    words = ("schedule", "--folder", str(folder))
    refused = install(tmp_path, *words)
    assert refused.code == 2
    assert f"hint: dce-play init {folder}\n" in refused.err
    assert not (tmp_path / "root").exists()
    assert Terminal(folder=folder).run("init", "--archive-root", "/mnt/archives").code == 0
    assert install(tmp_path, *words).code == 0
    lines = (tmp_path / "root/etc/systemd/system/dce-play-schedule.service").read_text().splitlines()
    assert f"WorkingDirectory={folder}" in lines
    assert f"ReadWritePaths=/var/lib/dce-play {folder} /mnt/archives" in lines
