"""Monitors: told of every end of a run, over real HTTP; whatever they do, the run ends as it would without them."""

import fcntl
import json
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import Terminal, terminal_in
from tests.support.monitor_server import MonitorServer, monitor_server

PING = "/ping/a1b2c3d4-canary-check"
TOPIC = "/canary-topic"
TOKEN = "tk_canary_token_0123456789"
GOOD = "steps: [{report.say: {text: hello}}]"
WAYS: dict[str, tuple[str, list[str], int]] = {
    "all well": (GOOD, [], 0),
    "a step fails": ("steps: [{assert.that: {conditions: [false]}}]", [], 1),
    "an option that is none": (GOOD, ["--nonsense"], 2),
    "options that do not go together": (GOOD, ["--report", "x"], 2),
    "a state folder that cannot be": (GOOD, ["--log-file", "/proc/none/log"], 2),
    "an invalid playbook": ("stepz: []", [], 3),
    "a preflight check fails": ("preflight: [{assert.that: {conditions: [false]}}]\n" + GOOD, [], 4),
    "the run is too slow": ("steps: [{command.run: {argv: [sleep, '9']}}]", ["--timeout", "500ms"], 124),
    "nobody is there to ask": ("steps: [{pause.confirm: {question: sure}}]", [], 77),
}


@pytest.fixture
def monitor() -> Iterator[MonitorServer]:
    with monitor_server() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, monitor: MonitorServer) -> Terminal:
    """Return a project that tells healthchecks of everything, and ntfy and a webhook of failures."""
    made = terminal_in(tmp_path, PING=monitor.address + PING)
    made.write("secrets/topic", monitor.address + TOPIC + "\n")
    made.write("secrets/token", TOKEN)
    made.write("secrets/hook", f"{monitor.address}/hook")
    made.write(
        "dce-play.toml",
        """\
        [monitoring]
        timeout = "2s"
        [monitoring.healthchecks]
        url = "env:PING"
        [monitoring.ntfy]
        url = "file:secrets/topic"
        token = "file:secrets/token"
        [monitoring.webhook]
        url = "file:secrets/hook"
        token = "file:secrets/token"
        """,
    )
    return made


def write_playbook(project: Terminal, body: str) -> None:
    project.write("night.yml", f"version: 1\nname: the night\n{body}")


def owed(project: Terminal) -> list[Path]:
    return sorted((project.folder / "state" / "monitoring").glob("*.json"))


@pytest.mark.contract("O13")
@pytest.mark.parametrize("way", WAYS)
def test_every_end_is_told_with_its_exit_code(project: Terminal, monitor: MonitorServer, way: str) -> None:
    playbook, words, code = WAYS[way]
    write_playbook(project, playbook)
    said = project.run("run", "night.yml", *words)
    assert said.code == code, said.err
    assert "monitor" not in said.err
    began = [] if code == 2 and "--log-file" not in words else [f"{PING}/start"]
    ended = [f"{PING}/{code}"] if code == 0 else sorted([f"{PING}/{code}", TOPIC, "/hook"])
    assert monitor.paths[: len(began)] == began
    assert sorted(monitor.paths[len(began) :]) == ended
    assert owed(project) == []


@pytest.mark.contract("O13")
def test_the_recap_is_the_body(project: Terminal, monitor: MonitorServer) -> None:
    write_playbook(project, "steps: [{name: look, assert.that: {conditions: [false], message: the cat is out}}]")
    project.run("run", "night.yml")
    [topic] = [each for each in monitor.heard if each.path == TOPIC]
    assert "1 failed" in topic.body
    assert "failed: look\n    the cat is out" in topic.body
    assert "next: dce-play resume " in topic.body
    assert topic.query["title"].startswith("night failed (exit 1) on ")
    assert topic.headers["Authorization"] == f"Bearer {TOKEN}"
    [hook] = [each for each in monitor.heard if each.path == "/hook"]
    facts = json.loads(hook.body)
    assert (facts["state"], facts["exit_code"], facts["playbook"]) == ("fail", 1, "night")
    assert facts["run"] in topic.body
    first, last = (each for each in monitor.heard if each.path.startswith(PING))
    assert first.query["rid"] == last.query["rid"]
    assert last.body.endswith(topic.body + "\n")


@pytest.mark.contract("O15")
def test_a_rescue_is_told_of_in_a_run_that_ended_well(project: Terminal, monitor: MonitorServer) -> None:
    write_playbook(
        project,
        "steps: [{block: [{name: try, assert.that: {conditions: [false]}}], rescue: [{report.say: {text: tidy}}]}]",
    )
    assert project.run("run", "night.yml").code == 0
    assert "1 rescued" in monitor.heard[-1].body


@pytest.mark.contract("O15")
def test_a_rescue_that_fails_again_is_a_failure(project: Terminal, monitor: MonitorServer) -> None:
    rescue = "[{report.say: {text: tidied}}, {run.fail: {message: '{{ failure.message }}, and tidied up'}}]"
    write_playbook(project, f"steps: [{{block: [{{assert.that: {{conditions: [false]}}}}], rescue: {rescue}}}]")
    said = project.run("run", "night.yml")
    assert said.code == 1
    assert "and tidied up" in said.out
    assert f"{PING}/1" in monitor.paths


def test_an_interrupted_run_is_told(project: Terminal, monitor: MonitorServer) -> None:
    write_playbook(project, "steps: [{command.run: {argv: [sleep, '60']}}]")
    running = start(project, "run", "night.yml")
    wait_for(lambda: project.runs() and "step.start" in (project.runs()[0] / "events.jsonl").read_text())
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert f"{PING}/130" in monitor.paths


def test_a_run_without_the_lock_is_told(project: Terminal, monitor: MonitorServer) -> None:
    root = project.folder / "archive"
    (root / "a").mkdir(parents=True)
    target = "{name: a, kind: guild, guild_ids: ['123456789012345678'], output_dir: " + str(root / "a") + "}"
    project.write("scrape-targets.yml", f"archive_root: {root}\ntargets: [{target}]\n")
    write_playbook(project, "steps: [{archive.recover: {target: a}}]")
    with (root / ".dce-scrape.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert project.run("run", "night.yml", "--config", "scrape-targets.yml").code == 75
    assert f"{PING}/75" in monitor.paths


@pytest.mark.parametrize("words", [["--dry-run"], ["--list-steps"], ["--rehearse"], ["--dry-run", "--nonsense"], []])
def test_what_only_looks_is_told_to_nobody(project: Terminal, monitor: MonitorServer, words: list[str]) -> None:
    write_playbook(project, GOOD)
    project.run("run", *(["night.yml", *words] if words else []))
    assert monitor.heard == []


@pytest.mark.contract("O14")
@pytest.mark.parametrize(
    ("answer", "code"), [(500, 0), (404, 1), (302, 1), (301, 1), ("hang", 0), ("drip", 1), ("shut", 1)]
)
def test_a_monitor_that_behaves_badly_is_a_warning(
    project: Terminal, monitor: MonitorServer, answer: int | str, code: int
) -> None:
    monitor.answer = answer
    write_playbook(project, f"steps: [{{assert.that: {{conditions: [{'true' if code == 0 else 'false'}]}}}}]")
    began = time.monotonic()
    said = project.run("run", "night.yml")
    assert said.code == code
    assert time.monotonic() - began < 30, "two states of at most 2 s each"
    assert said.err.count("warning: monitor healthchecks was not told: ") == 2
    assert "/elsewhere" not in monitor.paths, "no body and no token goes where a redirect points"


def test_a_monitor_that_is_not_there_is_a_warning(project: Terminal) -> None:
    project.write("secrets/topic", "http://127.0.0.1:1/gone-topic")
    write_playbook(project, "steps: [{assert.that: {conditions: [false]}}]")
    said = project.run("run", "night.yml")
    assert said.code == 1
    assert "monitor ntfy was not told: it cannot be reached: connection refused" in said.err
    assert "gone-topic" not in said.err


def test_a_secret_that_is_missing_and_a_table_that_is_wrong_are_warnings(
    project: Terminal, monitor: MonitorServer
) -> None:
    write_playbook(project, GOOD)
    (project.folder / "secrets" / "topic").unlink()
    write_playbook(project, "steps: [{assert.that: {conditions: [false]}}]")
    said = project.run("run", "night.yml")
    assert said.code == 1
    assert "monitor ntfy was not told: no secret behind file:secrets/topic: " in said.err
    assert f"{PING}/1" in monitor.paths
    project.write("dce-play.toml", "[monitoring.ntfy]\nurl = 'https://ntfy.sh/canary-topic-literal'\nstatez = []\n")
    said = project.run("run", "night.yml")
    assert said.code == 1
    assert "dce-play.toml:2:1" in said.err
    assert "did you mean" in said.err
    assert "canary-topic-literal" not in said.out + said.err


def start(project: Terminal, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        project.argv(*words),
        cwd=project.folder,
        env=project.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def wait_for(ready: object) -> None:
    ends = time.monotonic() + 60
    while not (callable(ready) and ready()):
        assert time.monotonic() < ends
        time.sleep(0.05)


def kill_a_run(project: Terminal) -> str:
    """Kill a run in the middle of a step, and return its id."""
    before = set(project.runs())
    write_playbook(project, "steps: [{command.run: {argv: [sleep, '60']}}]")
    running = start(project, "run", "night.yml")

    def going() -> bool:
        new = [folder for folder in project.runs() if folder not in before]
        events = [folder / "events.jsonl" for folder in new]
        return any(path.exists() and "step.start" in path.read_text(encoding="utf-8") for path in events)

    wait_for(going)
    running.send_signal(signal.SIGKILL)
    running.wait(60)
    write_playbook(project, GOOD)
    [made] = [folder for folder in project.runs() if folder not in before]
    return made.name


@pytest.mark.contract("O13")
def test_the_next_command_tells_of_a_killed_run_once(project: Terminal, monitor: MonitorServer) -> None:
    killed = kill_a_run(project)
    monitor.heard.clear()
    assert project.run("run", "night.yml").code == 0
    assert monitor.paths[-2:] == [f"{PING}/start", f"{PING}/0"]
    assert sorted(monitor.paths[:-2]) == sorted([f"{PING}/fail", TOPIC, "/hook"])
    [topic] = [each for each in monitor.heard if each.path == TOPIC]
    assert topic.query["title"].startswith("night was killed")
    assert killed in topic.body
    monitor.heard.clear()
    assert project.run("run", "night.yml").code == 0
    assert monitor.paths == [f"{PING}/start", f"{PING}/0"]
    assert owed(project) == []


def test_a_killed_run_is_told_again_if_the_monitor_was_down(project: Terminal, monitor: MonitorServer) -> None:
    kill_a_run(project)
    monitor.answer = 500
    assert project.run("run", "night.yml").code == 0
    monitor.answer = 200
    monitor.heard.clear()
    said = project.run("monitoring", "catch-up")
    assert (said.code, said.out) == (0, "1 told, 0 left\n")
    assert sorted(monitor.paths) == sorted([f"{PING}/fail", TOPIC, "/hook"])
    assert project.run("monitoring", "catch-up").out == "0 told, 0 left\n"


def test_a_run_that_goes_on_is_not_told_as_killed(project: Terminal, monitor: MonitorServer) -> None:
    write_playbook(project, "steps: [{command.run: {argv: [sleep, '60']}}]")
    running = start(project, "run", "night.yml")
    try:
        wait_for(lambda: owed(project) and monitor.paths)
        assert project.run("monitoring", "catch-up").out == "0 told, 0 left\n"
        assert monitor.paths == [f"{PING}/start"]
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(60)


def test_failures_that_a_monitor_missed_are_told_together(project: Terminal, monitor: MonitorServer) -> None:
    write_playbook(project, "steps: [{assert.that: {conditions: [false], message: the cat is out}}]")
    monitor.answer = 503
    for _ in range(3):
        assert project.run("run", "night.yml").code == 1
    assert len(owed(project)) == 3
    monitor.answer = 200
    monitor.heard.clear()
    assert project.run("monitoring", "catch-up").out == "3 told, 0 left\n"
    [topic] = [each for each in monitor.heard if each.path == TOPIC]
    assert topic.query["title"].startswith("3 runs did not end well: night on ")
    assert topic.body.count("the cat is out") == 3


def test_a_killed_run_that_is_resumed_is_told_before(project: Terminal, monitor: MonitorServer) -> None:
    killed = kill_a_run(project)
    monitor.heard.clear()
    assert project.run("resume", killed, "--accept-changes", "--repeat").code == 0
    pings = [path for path in monitor.paths if path.startswith(PING)]
    assert pings == [f"{PING}/fail", f"{PING}/start", f"{PING}/0"]


@pytest.mark.contract("O14")
def test_no_secret_of_a_monitor_is_shown_anywhere(project: Terminal, monitor: MonitorServer) -> None:
    show = (
        "cat secrets/topic secrets/token dce-play.toml; cut -d/ -f4 secrets/topic; tr '\\0' ' ' < /proc/$PPID/cmdline"
    )
    command = f"{{command.run: {{argv: [sh, -c, {json.dumps(show)}]}}}}"
    said_step = "{report.say: {text: 'topic is {{ env.TOPIC_PART }} of {{ env.PING_PART }}'}}"
    project = Terminal(
        folder=project.folder,
        variables={**project.variables, "TOPIC_PART": TOPIC.strip("/"), "PING_PART": PING.rpartition("/")[2]},
    )
    write_playbook(project, f"steps: [{command}, {said_step}, {{run.fail: {{message: x}}}}]")
    texts = []
    for answer in (200, 500, "shut"):
        monitor.answer = answer
        for words in (["-v", "--output", "jsonl", "--log-file", "log"], ["--bad"]):
            said = project.run("run", "night.yml", *words)
            texts += [said.out, said.err]
    for words in (["monitoring", "show"], ["monitoring", "test"], ["monitoring", "catch-up"], ["runs", "show"]):
        said = project.run(*words)
        texts += [said.out, said.err]
    files = [path for path in project.folder.rglob("*") if path.is_file() and "secrets" not in path.parts]
    texts += [path.read_text(encoding="utf-8", errors="replace") for path in files]
    texts += [each.body for each in monitor.heard]
    assert any("topic is *** of ***" in text for text in texts)
    for canary in (PING.rpartition("/")[2], TOPIC.strip("/"), TOKEN):
        assert not [text for text in texts if canary in text], canary


def test_no_program_of_a_run_gets_a_monitors_address(project: Terminal) -> None:
    write_playbook(project, "steps: [{command.run: {argv: [sh, -c, 'test -z \"$PING\"']}}]")
    assert project.run("run", "night.yml").code == 0


def test_only_the_playbooks_that_are_named_are_told(project: Terminal, monitor: MonitorServer) -> None:
    text = (project.folder / "dce-play.toml").read_text(encoding="utf-8")
    project.write("dce-play.toml", text.replace("[monitoring]\n", '[monitoring]\nplaybooks = ["day"]\n'))
    write_playbook(project, GOOD)
    assert project.run("run", "night.yml").code == 0
    assert monitor.heard == []
    (project.folder / "night.yml").rename(project.folder / "day.yml")
    assert project.run("run", "day").code == 0
    assert monitor.paths == [f"{PING}/start", f"{PING}/0"]


def test_each_playbook_may_have_a_check_of_its_own(project: Terminal, monitor: MonitorServer) -> None:
    project = Terminal(folder=project.folder, variables={"PING": f"{monitor.address}/key/{{playbook}}?create=1"})
    write_playbook(project, GOOD)
    assert project.run("run", "night.yml").code == 0
    assert monitor.paths == ["/key/night/start", "/key/night/0"]
    assert monitor.heard[0].query["create"] == "1"


def test_show_and_test_tell_what_is_missing(project: Terminal, monitor: MonitorServer) -> None:
    said = project.run("monitoring", "test")
    assert (said.code, said.out) == (0, "healthchecks  took it\nntfy  took it\nwebhook  took it\n")
    monitor.answer = 403
    said = project.run("monitoring", "test", "--state", "finish")
    assert (said.code, said.out) == (1, "healthchecks  it answered 403\n")
    (project.folder / "secrets" / "token").unlink()
    said = project.run("monitoring", "show")
    assert said.code == 1
    assert "no secret behind file:secrets/token" in said.out
    (project.folder / "dce-play.toml").write_text("plugins = false\n", encoding="utf-8")
    said = project.run("monitoring", "show")
    assert said.code == 5
    assert "\n  hint: add a table" in said.err


@pytest.mark.contract("O14")
@pytest.mark.parametrize("text", ["{}\n{}\n", "{} {}", "{}\r\n# {}"])
def test_an_address_of_several_lines_or_words_is_told_and_nobody_is_asked(
    project: Terminal, monitor: MonitorServer, text: str
) -> None:
    address = monitor.address + TOPIC
    project.write("secrets/topic", text.format(address, address + "-of-another"))
    shown = project.run("monitoring", "show")
    assert shown.code == 1
    assert "file:secrets/topic holds more than one word" in shown.out
    said = project.run("run", "night.yml")
    assert "warning: monitor ntfy was not told: file:secrets/topic holds more than one word" in said.err
    assert not [path for path in monitor.paths if path.startswith(TOPIC)]
    assert TOPIC not in said.err + said.out + shown.out + shown.err


def test_a_secrets_file_that_others_can_read_is_told_with_the_command_that_mends_it(project: Terminal) -> None:
    for name in ("topic", "token", "hook"):
        (project.folder / "secrets" / name).chmod(0o600)
    assert "can be read by others" not in project.run("monitoring", "show").out
    (project.folder / "secrets" / "hook").chmod(0o640)
    said = project.run("monitoring", "show")
    assert said.code == 0
    found = re.findall(r"! .*secrets/hook can be read by others \(mode 0640\); run: (chmod 600 .*)", said.out)
    assert len(found) == 1
    subprocess.run(shlex.split(found[0]), check=True)
    assert "can be read by others" not in project.run("monitoring", "show").out
