"""The version gate at a real receiver: real git repositories, and a stand-in for Forgejo over real HTTP."""

import http.server
import json
import os
import shutil
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lab_hosts import LabHost
from tests.support.receiver import Receiver, archive

OTHER = "f" * 40


def git(repo: Path, *arguments: str) -> str:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(repo), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    }  # fmt: skip
    done = subprocess.run(["git", "-C", repo, *arguments], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(repo: Path) -> str:
    git(repo, "commit", "-q", "--allow-empty", "-m", "x")
    return git(repo, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = tmp_path / "clone"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    return path


def stamped(receiver: Receiver, episode_id: str, stamp: str | None, *, header: str | None = "same") -> object:
    data = archive(episode_id, commit=stamp)
    return receiver.put(episode_id, data, {"X-Cis490-Code-Commit": stamp if header == "same" else header})


def outcome(receiver: Receiver, episode_id: str, stamp: str | None, **more: str | None) -> tuple[int, str]:
    answer = stamped(receiver, episode_id, stamp, **more)
    return answer.status, "" if answer.status < 300 else answer.code  # type: ignore[attr-defined]  # an Answer


class StandIn(http.server.BaseHTTPRequestHandler):
    """Stands in for Forgejo's list of commits: with pages, and in several moods."""

    commits: tuple[str, ...] = ()
    mood = "well"
    asked: tuple[str, ...] = ()

    def do_GET(self) -> None:
        kind = type(self)
        kind.asked = (*kind.asked, f"{self.path} {self.headers.get('Authorization')}")
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        if kind.mood == "slow":
            time.sleep(4)
        status = 500 if kind.mood == "broken" else 302 if kind.mood == "elsewhere" else 200
        page, limit = int(query["page"][0]), min(int(query["limit"][0]), 3)
        listed = [] if kind.mood == "empty" else kind.commits[(page - 1) * limit : page * limit]
        body = b"<html>" if kind.mood == "page" else json.dumps([{"sha": each} for each in listed]).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def forgejo() -> Iterator[tuple[str, type[StandIn]]]:
    kind = type("OneStandIn", (StandIn,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", kind
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.mark.contract("G1", "G6")
def test_only_the_newest_commits_pass_and_header_and_meta_must_agree(tmp_path: Path, repo: Path) -> None:
    old, middle, head = commit(repo), commit(repo), commit(repo)
    with Receiver(folder=tmp_path, config='[version_gate]\nrepo_path = "clone"\nwindow = 2\n') as one:
        assert outcome(one, "ep-1", head) == (201, "")
        assert outcome(one, "ep-2", middle) == (201, "")
        refused = one.put("ep-3", archive("ep-3", commit=old), {"X-Cis490-Code-Commit": old})
        assert (refused.status, refused.code, refused.json["retry"]) == (412, "commit_not_in_window", "never")
        facts = {name: refused.json[name] for name in ("your_commit", "head_commit", "window", "source")}
        assert facts == {"your_commit": old, "head_commit": head, "window": 2, "source": "git"}
        assert refused.json["fix"][0] == "cd /opt/dce-play && sudo -u dce-play git pull origin main"
        assert len(refused.json["fix"]) == 3
        assert "window" in refused.json["detail"]
        missing = one.put("ep-3", archive("ep-3"), {"X-Cis490-Code-Commit": None})
        assert (missing.status, missing.code) == (400, "missing_commit")
        assert missing.json["fix"] == refused.json["fix"]
        for bad in ("abc", head.upper(), head + "0", head[:39]):
            malformed = one.put("ep-3", archive("ep-3"), {"X-Cis490-Code-Commit": bad})
            assert (malformed.status, malformed.code) == (400, "malformed_commit"), bad
        assert outcome(one, "ep-3", middle, header=head) == (422, "commit_mismatch")
        assert outcome(one, "ep-3", None, header=head) == (422, "commit_mismatch")
        assert {row["id"]: row["commit"] for row in one.rows()} == {"ep-1": head, "ep-2": middle}
        for stamp, verdict in ((head, "in_window"), (old, "not_in_window"), ("abc", "malformed"), (None, "absent")):
            ping = one.request("POST", "/v1/ping", {"X-Cis490-Code-Commit": stamp} if stamp else {})
            assert (ping.status, ping.json["gate"]["verdict"]) == (200, verdict)
            assert bool(ping.json["gate"]["fix"]) == (verdict != "in_window")


@pytest.mark.contract("G4")
def test_a_commit_just_pushed_passes_without_a_restart_and_a_flaky_clone_keeps_the_last_set(
    tmp_path: Path, repo: Path
) -> None:
    head = commit(repo)
    with Receiver(folder=tmp_path, config='[version_gate]\nrepo_path = "clone"\n') as one:
        assert outcome(one, "ep-1", head) == (201, "")
        time.sleep(1.1)
        newer = commit(repo)
        assert outcome(one, "ep-2", newer) == (201, "")
        (repo / ".git").rename(repo / "gone")
        time.sleep(1.1)
        assert outcome(one, "ep-3", OTHER) == (412, "commit_not_in_window")
        assert outcome(one, "ep-4", newer) == (201, "")
        (repo / "gone").rename(repo / ".git")


@pytest.mark.contract("G4")
def test_nothing_known_is_503_and_heals_by_itself(tmp_path: Path, repo: Path) -> None:
    shutil.rmtree(repo / ".git")
    with Receiver(folder=tmp_path, config='[version_gate]\nrepo_path = "clone"\n') as one:
        answer = one.put("ep-1", archive())
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "gate_unknown", "30")
        gate = one.request("POST", "/v1/ping", {"X-Cis490-Code-Commit": OTHER}).json["gate"]
        assert (gate["state"], gate["verdict"], gate["head_commit"]) == ("unknown", "unknown", None)
        health = one.admin("/healthz")
        assert (health.status, b"gate" in health.body) == (200, True)
        git(repo, "init", "-q", "-b", "main")
        assert one.put("ep-1", archive()).code == "gate_unknown"
        head = commit(repo)
        time.sleep(1.1)
        assert outcome(one, "ep-1", head) == (201, "")


@pytest.mark.contract("G5")
def test_switched_off_everything_passes_and_that_is_told(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path) as one:
        assert outcome(one, "ep-1", None, header=None) == (201, "")
        assert outcome(one, "ep-2", OTHER) == (201, "")
        assert "commit" not in one.rows()[0]
        gate = one.request("POST", "/v1/ping").json["gate"]
        assert (gate["enabled"], gate["state"], gate["verdict"]) == (False, "off", "off")
        assert "dce_receive_gate_enabled 0.0" in one.admin("/metrics").body.decode()
        assert "Off:" in one.admin("/").body.decode()


@pytest.mark.contract("G3")
@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs uid 0 to give the clone away")
def test_a_clone_of_another_user_is_read_and_our_git_environment_is_not(tmp_path: Path, repo: Path) -> None:
    head = commit(repo)
    for path in [repo, *repo.rglob("*")]:
        os.chown(path, 12345, 12345)
    environment = {"GIT_DIR": "/nowhere", "GIT_CONFIG_COUNT": "oops", "HOME": str(tmp_path)}
    with Receiver(folder=tmp_path, config='[version_gate]\nrepo_path = "clone"\n', environment=environment) as one:
        assert outcome(one, "ep-1", head) == (201, "")


@pytest.mark.contract("G3")
def test_a_git_that_hangs_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "git"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    with Receiver(folder=tmp_path, config='[version_gate]\nrepo_path = "clone"\n', environment=environment) as one:
        started = time.monotonic()
        assert one.put("ep-1", archive()).code == "gate_unknown"
        assert time.monotonic() - started < 12


@pytest.mark.contract("G2")
def test_forgejo_is_asked_first_page_by_page_and_git_when_it_does_not_answer(
    tmp_path: Path, repo: Path, forgejo: tuple[str, type[StandIn]]
) -> None:
    url, kind = forgejo
    local = commit(repo)
    kind.commits = tuple(f"{number:040x}" for number in range(1, 9))
    config = (
        f'[version_gate]\nrepo_path = "clone"\nwindow = 8\nforgejo_url = "{url}"\nforgejo_repo = "o/r"\n'
        'forgejo_token = "env:FORGEJO"\ncache_ttl_s = 0.2\ntimeout_s = 1\n'
    )
    with Receiver(folder=tmp_path, config=config, environment={"FORGEJO": "s3cret"}) as one:
        ping = one.request("POST", "/v1/ping", {"X-Cis490-Code-Commit": kind.commits[7]}).json["gate"]
        assert (ping["verdict"], ping["source"], ping["head_commit"]) == ("in_window", "forgejo", kind.commits[0])
        assert kind.asked[0].startswith("/api/v1/repos/o/r/commits?sha=main&limit=")
        assert kind.asked[0].endswith(" token s3cret")
        assert outcome(one, "ep-1", local) == (412, "commit_not_in_window")
        for mood in ("empty", "broken", "elsewhere", "page", "slow"):
            kind.mood = mood
            time.sleep(0.3)
            gate = one.request("POST", "/v1/ping", {"X-Cis490-Code-Commit": local}).json["gate"]
            assert (gate["verdict"], gate["source"]) == ("in_window", "git-fallback"), mood
        assert "gate.source source=git-fallback" in one.log()
        assert 'dce_receive_gate_up{source="forgejo"} 0.0' in one.admin("/metrics").body.decode()
        kind.mood = "well"
        time.sleep(0.3)
        assert one.request("POST", "/v1/ping").json["gate"]["source"] == "forgejo"
        assert "s3cret" not in one.log()


@pytest.mark.contract("G2")
def test_forgejo_and_receiver_restarted_together_lock_nobody_out(
    tmp_path: Path, repo: Path, forgejo: tuple[str, type[StandIn]]
) -> None:
    url, kind = forgejo
    kind.mood = "empty"
    head = commit(repo)
    config = f'[version_gate]\nforgejo_url = "{url}"\nforgejo_repo = "o/r"\n'
    with Receiver(folder=tmp_path, config=config, environment={"DCE_PLAY_INSTALL_ROOT": str(repo)}) as one:
        assert outcome(one, "ep-1", head) == (201, "")


@pytest.mark.parametrize("shape", ["shallow", "detached"])
def test_odd_clones_are_read(tmp_path: Path, repo: Path, shape: str) -> None:
    commit(repo)
    head = commit(repo)
    clone = tmp_path / "odd"
    depth = ["--depth", "1"] if shape == "shallow" else []
    subprocess.run(["git", "clone", "-q", *depth, f"file://{repo}", clone], check=True, capture_output=True)
    git(clone, "checkout", "-q", "--detach", "HEAD")
    with Receiver(folder=tmp_path, config='[version_gate]\nrepo_path = "odd"\nwindow = 1000\n') as one:
        assert outcome(one, "ep-1", head) == (201, "")
        assert outcome(one, "ep-2", OTHER) == (412, "commit_not_in_window")


@pytest.mark.contract("G2", "G4")
@pytest.mark.parametrize("mood", ["empty", "broken"])
@pytest.mark.parametrize("clone", [True, False])
def test_while_forgejo_and_receiver_come_back_together_no_episode_is_quarantined(
    tmp_path: Path, repo: Path, forgejo: tuple[str, type[StandIn]], mood: str, clone: bool
) -> None:
    url, kind = forgejo
    head = commit(repo)
    kind.commits = (head,)
    source = 'repo_path = "clone"' if clone else 'repo_path = ""'
    config = f'[version_gate]\n{source}\nforgejo_url = "{url}"\nforgejo_repo = "o/r"\ncache_ttl_s = 0.1\n'
    with Receiver(folder=tmp_path, config=config) as one:
        host = LabHost(folder=tmp_path / "lab", url=f"http://127.0.0.1:{one.port}")
        host.folder.mkdir()
        host.write_config()
        (host.folder / "token").write_text(one.token)
        host.episode("before", commit=head)
        assert host.run("ship", "once").returncode == 0
        kind.mood = mood
        one.kill()
        one.start()
        host.episode("meanwhile", commit=head)
        host.run("ship", "once")
        where = host.where()
        assert (where["quarantine"], "meanwhile" in where["episodes"]) == ([], not clone)
        kind.mood = "well"
        time.sleep(0.2)  # what was not known is not asked again at once, but after `cache_ttl_s`
        host.episode("after", commit=head)
        done = host.run("ship", "once")
        assert done.returncode == 0, done.stderr
        assert (host.where()["quarantine"], host.where()["episodes"]) == ([], [])
        assert sorted(row["id"] for row in one.rows()) == ["after", "before", "meanwhile"]
