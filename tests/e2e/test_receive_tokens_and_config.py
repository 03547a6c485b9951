"""Tokens, the configuration's problems, and the life of the receiver's process."""

import json
import os
import socket
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from dce_play.transfer.receiving.config import read_config
from dce_play.transfer.receiving.config_files import receive_example, receive_schema
from tests.support.receiver import OPEN, Receiver, archive, offer_headers, parse_answer, read_all

SEEN_WITHIN_S = 5.0
ROOT = Path(__file__).parents[2]


@pytest.mark.contract("V1")
def test_tokens_are_added_expire_and_are_revoked_while_the_receiver_runs(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path) as one:
        code, told = one.verb("token", "add", "lab-2", "--expires", "2999-01-01")
        assert (code, list(told)) == (0, ["token_id", "host_id", "role", "token"])
        assert told["token"].startswith(f"dcp_{told['token_id']}_")
        kept = (one.store / "tokens.json").read_text()
        assert told["token"] not in kept
        assert told["token"].rpartition("_")[2] not in kept
        assert (one.store / "tokens.json").stat().st_mode & 0o777 == 0o600
        assert one.request("POST", "/v1/ping", token=told["token"]).json["you"]["host_id"] == "lab-2"
        _, listed = one.verb("token", "list")
        assert [token["host_id"] for token in listed["tokens"]] == ["lab-1", "lab-2"]
        assert "sha256" not in json.dumps(listed)
        ended = one.add_token("lab-3", "--expires", (datetime.now(UTC) - timedelta(days=1)).date().isoformat())
        assert one.request("POST", "/v1/ping", token=ended).code == "token_expired"
        monitor = one.add_token("watch", "--role", "monitor")
        assert one.request("POST", "/v1/ping", token=monitor).code == "forbidden"
        assert one.verb("token", "revoke", told["token_id"]) == (0, {"revoked": told["token_id"]})
        deadline = time.monotonic() + SEEN_WITHIN_S
        while one.request("POST", "/v1/ping", token=told["token"]).status != 401:
            assert time.monotonic() < deadline
        assert one.run("token", "revoke", "00000000").returncode == 5
        for host in ("*.lab", "a,b", "a b", ""):
            assert one.run("token", "add", host).returncode == 2, host
        assert one.token not in one.log()
        assert told["token"] not in one.log()


def test_all_problems_of_a_configuration_are_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "receive.toml"
    config.write_text(
        'bind = "0.0.0.0:8490"\n[limits]\nmax_byte = 1\nmin_free = "much"\n[version_gate]\nrepo_path = ""\n'
        'forgejo_token = "secret-literal"\n[index]\nkind = "postgres"\n'
    )
    done = Receiver(folder=tmp_path).run("status")
    assert done.returncode == 3
    for part in ("receive.toml:1", "store_dir", "receive.toml:3", "max_bytes", "receive.toml:4", "receive.toml:7"):
        assert part in done.stderr, part
    assert "secret-literal" not in done.stderr


def test_the_example_and_the_schema_are_what_the_code_reads(tmp_path: Path) -> None:
    assert (ROOT / "examples" / "receive.toml").read_text() == receive_example()
    assert json.loads((ROOT / "schemas" / "receive.schema.json").read_text()) == receive_schema()
    (tmp_path / "receive.toml").write_text(receive_example())
    config = read_config(tmp_path / "receive.toml")
    assert config.limits.max_bytes == 64 << 30
    assert config.gate.remediation[0] == "cd /opt/cis490 && sudo -u cis490 git pull origin main"
    Draft7Validator(receive_schema()).validate(tomllib.loads(receive_example()))


def test_a_missing_configuration_is_exit_3_with_the_next_step(tmp_path: Path) -> None:
    done = Receiver(folder=tmp_path).run("run")
    assert done.returncode == 3
    assert "examples/receive.toml" in done.stderr


@pytest.mark.contract("V8")
def test_ready_watchdog_and_stopping_are_told_and_the_end_is_0(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(10)
        environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "600000"}
        with Receiver(folder=tmp_path, environment=environment) as one:
            told = b""
            while told.count(b"WATCHDOG=1") < 3 or b"READY=1" not in told:
                told += notify.recv(4096)
            assert one.stop() == 0
            while b"STOPPING=1" not in told:
                told += notify.recv(4096)


@pytest.mark.contract("V8")
def test_a_running_upload_may_end_after_sigterm_and_new_requests_may_not_begin(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path) as one:
        data = archive(files={"a": os.urandom(300_000)})
        lines = ["PUT /v1/episodes/ep-1 HTTP/1.1", "Host: x", f"Authorization: Bearer {one.token}"]
        lines += [f"{name}: {value}" for name, value in offer_headers(data).items()]
        with one.connect() as slow:
            slow.sendall("\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""]).encode() + data[:1000])
            while "incoming" not in str(list((one.store / "incoming").iterdir())):
                time.sleep(0.01)
            assert one.process is not None
            one.process.terminate()
            deadline = time.monotonic() + 10
            while True:
                try:
                    one.connect(timeout_s=1).close()
                except OSError:
                    break
                assert time.monotonic() < deadline
                time.sleep(0.05)
            health = one.admin("/healthz")
            assert (health.status, health.body.split()[0]) == (503, b"stopping")
            slow.sendall(data[1000:])
            assert parse_answer(slow.recv(65536)).status == 201
        assert one.process.wait(10) == 0
        assert [row["id"] for row in one.rows()] == ["ep-1"]


@pytest.mark.contract("V8")
def test_an_upload_that_does_not_end_is_cut_after_drain_s(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path, limits="drain_s = 1\n") as one, one.connect() as slow:
        slow.sendall(
            f"PUT /v1/episodes/ep-1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {one.token}\r\n"
            f"Content-Type: application/zstd\r\nRepr-Digest: sha-256=:{'A' * 43}=:\r\n"
            "Content-Length: 10\r\n\r\n".encode()
        )
        while not list((one.store / "incoming").iterdir()):
            time.sleep(0.01)
        started = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - started < 8
        assert list((one.store / "incoming").iterdir()) == []


def test_a_second_receiver_on_one_store_is_exit_75(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path) as one:
        done = one.run("run")
        assert done.returncode == 75, done.stderr


def test_a_taken_address_is_exit_4(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        one = Receiver(folder=tmp_path, port=taken.getsockname()[1], config=OPEN)
        one.write_config()
        done = one.run("run")
    assert done.returncode == 4
    assert "in use" in done.stderr


@pytest.mark.contract("V9")
def test_health_metrics_status_and_page(tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    with Receiver(folder=tmp_path) as one:
        data = archive(files={"a": os.urandom(1000)})
        one.put("ep-1", data)
        one.put("ep-1", data)
        one.put("ep-2", data)
        one.put("ep-3", data, token="x")
        assert one.admin("/healthz").body == b"ok\n"
        metrics = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(one.admin("/metrics").body.decode())
            for sample in family.samples
        }
        for result in ("stored", "duplicate", "refused"):
            assert metrics["dce_receive_episodes_total", ("host", "lab-1"), ("result", result)] == 1, result
        assert metrics["dce_receive_responses_total", ("code", "wrong_root"), ("status", "422")] == 1
        assert metrics["dce_receive_bytes_total", ("host", "lab-1")] == len(data)
        assert metrics[("dce_receive_store_episodes",)] == 1
        assert metrics[("dce_receive_index_missing",)] == 0
        assert metrics[("dce_receive_inflight",)] == 0
        assert metrics[("dce_receive_gate_enabled",)] == 0
        assert metrics[("dce_receive_store_free_bytes",)] > 0
        status = one.admin("/status.json").json
        (host,) = [each for each in status["hosts"] if each["host_id"] == "lab-1"]
        assert (host["episodes"], host["episodes_today"], host["refusals"]) == (1, 1, {"wrong_root": 1})
        page = one.admin("/")
        assert page.headers["content-type"].startswith("text/html")
        text = page.body.decode()
        assert "lab-1" in text
        assert "wrong_root" in text
        assert "<script" not in text
        assert "src=" not in text
        assert "prefers-color-scheme" in text
        code, offline = one.verb("status")
        assert (code, offline["store"]["episodes"]) == (0, 1)
        one.kill()
        one.start()
        after = one.admin("/metrics").body.decode()
        assert 'dce_receive_episodes_total{host="lab-1",result="stored"} 1.0' in after


@pytest.mark.contract("V9")
def test_the_admin_listener_asks_for_a_monitors_token_elsewhere_than_on_loopback(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path, admin_bind="0.0.0.0:0") as one:
        monitor = one.add_token("watch", "--role", "monitor")
        assert one.admin("/metrics").status == 401
        assert one.admin("/metrics", {"Authorization": f"Bearer {one.token}"}).status == 403
        assert one.admin("/metrics", {"Authorization": f"Bearer {monitor}"}).status == 200


def test_it_listens_on_a_unix_socket_that_a_dead_one_left(tmp_path: Path) -> None:
    place = tmp_path / "hub.sock"
    one = Receiver(folder=tmp_path)
    one.write_config()
    one.toml.write_text(one.toml.read_text().replace('bind = "127.0.0.1:0"', f'bind = "unix:{place}"', 1))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(place))
    token = one.add_token("lab-1")
    argv = [sys.executable, "-m", "dce_play", "receive", "run", "--config", str(one.toml)]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, cwd=tmp_path)
    try:
        assert process.stderr is not None
        assert f"bind=unix:{place}".encode() in process.stderr.readline()
        ask = f"POST /v1/ping HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10)
            connection.connect(str(place))
            connection.sendall(ask.encode())
            assert parse_answer(read_all(connection)).json["you"]["host_id"] == "lab-1"
        process.terminate()
        assert process.wait(20) == 0
        assert not place.exists()
    finally:
        process.kill()
        process.communicate(timeout=20)


@pytest.mark.contract("V4", "V9")
def test_what_the_index_lacks_is_counted_from_the_file_and_no_episode_is_counted_twice(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path) as one:
        for number in range(3):
            assert one.put(f"ep-{number}", archive(f"ep-{number}")).status == 201
        index = one.store / "index.jsonl"
        lines = index.read_text().splitlines(keepends=True)

        def told(name: str) -> float:
            found = [line for line in one.admin("/metrics").body.decode().splitlines() if line.startswith(name)]
            return float(found[0].rpartition(" ")[2])

        assert told("dce_receive_index_missing") == 0
        index.write_text("".join(lines[:1]))
        assert told("dce_receive_index_missing") == 2
        index.unlink()
        assert told("dce_receive_index_missing") == 3
        assert one.verb("backfill")[1]["added"] == 3
        assert told("dce_receive_index_missing") == 0
        assert told('dce_receive_episodes_total{host="lab-1",result="stored"}') == 3


@pytest.mark.contract("V6")
def test_the_fix_of_a_refused_archive_moves_nothing_else_out_of_quarantine(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path) as one:
        broken = one.put("ep-1", archive()[:-4])
        unsafe = one.put("ep-1", archive("ep-2"))
    assert (broken.code, broken.json["fix"]) == (
        "archive_invalid",
        ["dce-play quarantine list --reason archive_invalid", "dce-play quarantine requeue --reason archive_invalid"],
    )
    assert (unsafe.code, unsafe.json["fix"]) == ("wrong_root", ["dce-play quarantine list --reason wrong_root"])


@pytest.mark.contract("V9")
def test_a_host_that_is_silent_is_told_whether_it_was_ever_heard_or_not(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path) as one:
        for host in ("lab-2", "lab-3"):
            token = one.add_token(host)
            if host == "lab-2":
                assert one.put("ep-1", archive(), token=token).status == 201
        one.add_token("watcher", "--role", "monitor")
        one.kill()
        one.start()
        one.request("POST", "/v1/ping")
        seen = {each["host_id"]: each["last_seen"] for each in one.admin("/status.json").json["hosts"]}
        assert sorted(seen) == ["lab-1", "lab-2", "lab-3"]
        assert (seen["lab-2"], seen["lab-3"]) == (None, None)
        page = one.admin("/").body.decode()
    assert "silent, never heard" in page
    assert "silent, stored " in page
