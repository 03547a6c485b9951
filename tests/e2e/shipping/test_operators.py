"""The commands that an operator types: configuration, drain, quarantine."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from dce_play.transfer.sending.settings import load_config, ship_example, ship_schema
from tests.support.lab_hosts import LabHost, ship
from tests.support.stand_in_receiver import Canned, StandIn

ROOT = Path(__file__).parents[3]


@pytest.mark.contract("S11")
def test_all_mistakes_in_the_configuration_are_told_at_once(host: LabHost, receiver: StandIn) -> None:
    host.config.write_text(
        'host_id = "lab 1"\nscan_interval_s = 61\non_gate = "wait"\nbandwith_limit = 3\n'
        '[receiver]\nurl = "http://example.org"\ntoken = "dcp_1234_hunter2hunter2"\ncert = "x.pem"\n'
        '[resume]\nabove = "x"\n'
    )
    for verb in (["ship", "once"], ["ship", "run"], ["ship", "ping"], ["ship", "status"], ["quarantine", "list"]):
        said = host.run(*verb)
        assert said.returncode == 3
        for line, text in (
            (1, "data_dir is missing"),
            (1, "host_id"),
            (2, "at most 60"),
            (3, "quarantine, hold"),
            (4, 'did you mean "bandwidth_limit"?'),
            (6, "https"),
            (7, "env:NAME"),
            (8, "receiver.key"),
            (10, "resume.above"),
        ):
            assert f"ship.toml:{line}:" in said.stderr, said.stderr
            assert text in said.stderr, said.stderr
        assert "hunter2" not in said.stderr
    assert receiver.requests == []


@pytest.mark.contract("S11")
def test_the_example_and_the_schema_are_what_the_code_reads(tmp_path: Path) -> None:
    assert (ROOT / "examples" / "ship.toml").read_text() == ship_example()
    assert json.loads((ROOT / "schemas" / "ship.schema.json").read_text()) == ship_schema()
    (tmp_path / "ship.toml").write_text(ship_example())
    config = load_config(tmp_path / "ship.toml")
    assert config.outbox_dir == Path("/var/lib/dce-play/outbox")
    import tomllib

    Draft7Validator(ship_schema()).validate(tomllib.loads(ship_example()))


@pytest.mark.contract("S13")
def test_a_data_folder_that_is_not_there_is_told_with_the_command_that_makes_it(host: LabHost, tmp_path: Path) -> None:
    host.config.write_text(host.config.read_text().replace(str(host.data), str(tmp_path / "nowhere")))
    said = host.run("ship", "once")
    assert said.returncode == 4
    assert "install -d" in said.stderr
    assert not (tmp_path / "nowhere").exists()


def test_no_configuration_is_told_with_the_example(host: LabHost) -> None:
    host.config.unlink()
    said = host.run("ship", "status")
    assert said.returncode == 3
    assert "examples/ship.toml" in said.stderr


def age(folder: Path, seconds: float) -> None:
    when = time.time() - seconds
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (when, when))


@pytest.mark.contract("S10")
def test_drain_moves_what_is_unstamped_and_spares_what_is_just_being_written(host: LabHost, receiver: StandIn) -> None:
    host.episode("good")
    host.episode("unstamped", commit=None)
    host.episode("upper", commit="A" * 40)
    for name in ("young", "old"):
        (host.data / "episodes" / name).mkdir()
        (host.data / "episodes" / name / "frame").write_text("x")
    broken = host.episode("broken")
    (broken / "meta.json").write_text("[1]")
    receiver.answer = lambda *_: Canned(status=500)
    ship(host)
    age(host.data / "episodes" / "old", 700)
    age(broken, 700)
    moved = ["broken", "old", "unstamped", "upper"]
    dry = host.json("ship", "drain", "--dry-run", code=0)
    assert ([each["id"] for each in dry["episodes"]], dry["kept"], dry["dry_run"]) == (moved, 2, True)
    assert host.where()["quarantine"] == []
    done = host.json("ship", "drain", code=0)
    assert [(each["id"], each["reason"], each["to"]) for each in done["episodes"]] == [
        (name, "unstamped", f"quarantine/{name}") for name in moved
    ]
    assert (done["quarantined"], done["kept"]) == (4, 2)
    assert host.where()["episodes"] == ["good", "young"]
    assert host.where()["outbox"] == ["good.pack.json", "good.tar.zst"]
    again = host.json("ship", "drain", code=0)
    assert (again["quarantined"], again["episodes"]) == (0, [])
    assert host.json("ship", "drain", "--min-age", "0s", code=0)["quarantined"] == 1


@pytest.mark.contract("S10")
def test_drain_works_beside_a_running_shipper(host: LabHost, receiver: StandIn) -> None:
    from dce_play.services.shipper import open_shipper

    host.episode("unstamped", commit=None)
    with open_shipper(load_config(host.config), environment={}) as shipper:
        assert host.json("ship", "drain", code=0)["quarantined"] == 1
        assert shipper.once().results == []
    assert host.where()["quarantine"] == ["unstamped"]


@pytest.fixture
def refused(host: LabHost, receiver: StandIn) -> LabHost:
    for name, status, code in (("a", 422, "bad_meta"), ("b", 412, "commit_not_in_window"), ("c", 422, "bad_meta")):
        receiver.answer = lambda *_, status=status, code=code: Canned.problem(status, code)
        host.episode(name)
        ship(host)
    receiver.answer = lambda *_: None
    return host


def names(result: dict[str, Any]) -> list[str]:
    return [item["name"] for item in result["items"]]


@pytest.mark.contract("S4", "S15")
def test_the_quarantine_is_listed_shown_requeued_and_dropped(refused: LabHost, receiver: StandIn) -> None:
    host = refused
    listed = host.json("quarantine", "list", code=0)
    assert names(listed) == ["a", "b", "c"]
    assert set(listed["items"][0]) == {"name", "id", "reason", "http", "commit", "quarantined_at", "age_s", "bytes"}
    assert names(host.json("quarantine", "list", "--reason", "bad_meta", code=0)) == ["a", "c"]
    assert names(host.json("quarantine", "list", "--older-than", "1h", code=0)) == []
    shown = host.json("quarantine", "show", "b", code=0)
    assert (shown["id"], shown["http"], shown["name"]) == ("b", 412, "b")
    assert shown["files"] == ["frames/1.bin", "meta.json", "quarantine_reason.json"]
    assert host.run("quarantine", "show", "nope").returncode == 5
    assert host.run("quarantine", "requeue", "nope").returncode == 5
    assert host.json("quarantine", "requeue", "--reason", "bad_meta", "--dry-run", code=0)["requeued"] == ["a", "c"]
    assert host.where()["episodes"] == []
    host.episode("a", files={})
    taken = host.json("quarantine", "requeue", "a", "b", code=1)
    assert taken["requeued"] == ["b"]
    assert [each["name"] for each in taken["refused"]] == ["a"]
    assert not (host.data / "episodes" / "b" / "quarantine_reason.json").exists()
    assert host.run("quarantine", "drop", "c").returncode == 77
    assert host.run("quarantine", "drop", "nope", "--yes").returncode == 5
    assert host.where()["quarantine"] == ["a", "c"]
    assert host.json("quarantine", "drop", "c", "--dry-run", code=0)["dropped"] == ["c"]
    assert host.json("quarantine", "drop", "c", "--yes", code=0)["dropped"] == ["c"]
    assert host.where()["quarantine"] == ["a"]
    assert {each.id for each in ship(host).results} == {"a", "b"}


@pytest.mark.contract("S2")
def test_an_episode_moved_back_by_hand_is_sent(refused: LabHost, receiver: StandIn) -> None:
    (refused.data / "quarantine" / "a").rename(refused.data / "episodes" / "a")
    ship(refused)
    assert "a" in receiver.stored
    assert not (refused.data / "shipped" / "a" / "quarantine_reason.json").exists()


def test_metrics_are_counted_from_the_folders(refused: LabHost, receiver: StandIn) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    host = refused
    host.more = f'metrics_file = "{host.folder / "ship.prom"}"'
    host.write_config()
    host.episode("stored")
    (host.data / "episodes" / "waiting").mkdir()
    ship(host)
    text = (host.folder / "ship.prom").read_text()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["dce_ship_episodes", "waiting"] == 1
    assert found["dce_ship_episodes", "shipped"] == 1
    assert found["dce_ship_episodes", "quarantined"] == 3
    assert found["dce_ship_quarantined", "bad_meta"] == 2
    assert found["dce_ship_results_total", "201", "stored"] == 1
    assert found["dce_ship_results_total", "422", "quarantined"] == 2
    assert abs(found["dce_ship_last_success_timestamp_seconds",] - time.time()) < 60
    assert found["dce_ship_paused", "auth"] == 0
