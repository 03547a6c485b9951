"""Canaries in every place that we know holds secrets are shown by no command, no stream, no file and no child."""

from pathlib import Path

import pytest

from tests.support.command_line import Said, Terminal, terminal_in

CANARY = "CANARY"
"""In the middle of every secret below: whatever spelling shows one, shows this."""
IN_ENVIRONMENT = "a\"b\\c'-CANARY-$d%e é"
IN_ENV_FILE = "f-CANARY-g.h"
IN_TOKEN_FILE = "i/CANARY+j=="
BY_NAME = "k CANARY l"

PLUGIN = '''\
"""Says everything that it can get hold of, in every way that there is."""

import json
import logging
import os
import sys
import threading
import warnings
from dataclasses import dataclass

from dce_play.plugin import Effects, StepFailed, StepResult

NAME = "own.leak"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """None."""

    fail: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Much."""

    said: str


def burst(secret):
    raise RuntimeError(secret, [secret], {"a": secret})


def apply(params, ctx, /):
    for secret in (os.environ["DISCORD_TOKEN"], os.environ["LAB_PASSWORD"]):
        spelt = [secret, repr(secret), repr([secret]), repr(secret.encode()), json.dumps(secret),
                 json.dumps(json.dumps({"a": secret})), str({"a": {"b": secret}}), ascii(secret)]
        for text in spelt:
            print("print", text)
            print("stderr", text, file=sys.stderr)
            logging.getLogger("own").warning("log %s", text)
            warnings.warn(text)
            ctx.reporter.say(text)
        sys.stdout.write(secret[:9])
        sys.stdout.flush()
        sys.stdout.write(secret[9:] + "\\n")
        sys.stdout.flush()
        sys.stdout.buffer.write(secret.encode() + b"\\n")
        thread = threading.Thread(target=burst, args=(secret,))
        thread.start()
        thread.join()
    if params.fail:
        burst(os.environ["DISCORD_TOKEN"])
    return StepResult(changed=False, summary=secret, outputs=Outputs(said=repr(spelt)))
'''
PLAYBOOK = """\
    name: canaries
    params:
      fail: {type: bool, default: false}
    steps:
      - command.run: {argv: [env]}
      - command.run: {argv: [sh, -c, "cat scrape.env; cat token; cat token >&2"]}
      - report.say: {text: "{{ env.DISCORD_TOKEN }} {{ env | tojson }}"}
      - file.write: {path: own.txt, content: "no secret"}
      - command.run: {argv: [sh, -c, 'set -x; x="$DISCORD_TOKEN"; : "$x"; printf "%s" "$x"']}
        environment: {DISCORD_TOKEN: "{{ env.DISCORD_TOKEN }}"}
      - own.leak: {fail: "{{ params.fail }}"}
    """


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path, DISCORD_TOKEN=IN_ENVIRONMENT, LAB_PASSWORD=BY_NAME)
    made.write("scrape.env", f'DISCORD_TOKEN="{IN_ENV_FILE}"\nDISCORD_TOKEN_FILE=token\n')
    made.write("token", IN_TOKEN_FILE + "\n")
    made.write("steps/leak.py", PLUGIN)
    made.write("canaries.yml", PLAYBOOK)
    return made


def shown(terminal: Terminal, said: Said) -> list[str]:
    """Return where the canary is seen: streams and every file but those that held it before."""
    places = [name for name, text in (("stdout", said.out), ("stderr", said.err)) if CANARY in text]
    kept = {"scrape.env", "token"}
    files = (path for path in terminal.folder.rglob("*") if path.is_file() and path.name not in kept)
    return places + [str(path) for path in files if CANARY.encode() in path.read_bytes()]


@pytest.mark.contract("F-S1", "F-S2", "F-S3")
@pytest.mark.parametrize("output", ["text", "jsonl"])
@pytest.mark.parametrize("fail", ["false", "true"])
def test_no_stream_file_or_child_shows_a_canary(terminal: Terminal, output: str, fail: str) -> None:
    said = terminal.run(
        *("run", "canaries.yml", "--plugins", "-e", f"fail={fail}", "--output", output, "--verbose"),
        *("--report", "json=report.json", "--log-file", "log.txt"),
    )
    assert "***" in said.out
    assert (said.code, shown(terminal, said)) == (1 if fail == "true" else 0, [])
    report = (terminal.folder / "report.json").read_text(encoding="utf-8")
    assert "***" in report


@pytest.mark.contract("F-S1")
@pytest.mark.parametrize(
    "words",
    [
        ["auth", "status"],
        ["auth", "status", "--format", "json"],
        ["plan", "canaries.yml", "--plugins"],
        ["lint", "."],
        ["runs", "list"],
        ["run", "canaries.yml", "--plugins", "--dry-run", "--diff"],
        ["run", "canaries.yml", "-e", f"fail={IN_ENV_FILE}"],
        ["targets", "list"],
        ["archive", "audit", IN_ENVIRONMENT],
        [BY_NAME],
        ["version"],
    ],
)
def test_no_command_shows_a_canary(terminal: Terminal, words: list[str]) -> None:
    assert shown(terminal, terminal.run(*words)) == []


@pytest.mark.contract("F-S1")
def test_a_child_gets_a_secret_only_where_the_step_asks(terminal: Terminal) -> None:
    terminal.write(
        "child.yml",
        """\
        name: child
        steps:
          - command.run: {argv: [sh, -c, 'echo "not asked: <$DISCORD_TOKEN$LAB_PASSWORD>"']}
          - command.run: {argv: [sh, -c, 'echo "asked: <$(echo $LAB_PASSWORD | wc -c)>"']}
            environment: {LAB_PASSWORD: "{{ env.LAB_PASSWORD }}"}
        """,
    )
    said = terminal.run("run", "child.yml")
    assert "not asked: <>" in said.out
    assert f"asked: <{len(BY_NAME) + 1}>" in said.out


def test_a_path_in_a_variable_named_key_is_no_secret(tmp_path: Path) -> None:
    key = tmp_path / f"{'k' * 100}.pem"  # wider than the page
    key.write_text("x", encoding="utf-8")
    terminal = terminal_in(tmp_path, SSL_KEY=str(key))
    terminal.write("say.yml", 'name: say\nsteps:\n  - report.say: {text: "{{ env.SSL_KEY }}"}\n')
    assert str(key) in terminal.run("run", "say.yml").out
