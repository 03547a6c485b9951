"""Mail through Apprise, into an SMTP server on loopback."""

import importlib.util
import os
import socketserver
import threading
from collections.abc import Iterator
from email import message_from_string, policy
from pathlib import Path

import pytest

from tests.support.command_line import terminal_in


def needs_apprise() -> None:
    if importlib.util.find_spec("apprise") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("apprise is not installed: pip install 'dce-play[notify]'")
        pytest.skip("apprise is not installed: pip install 'dce-play[notify]'")


class _Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as one message takes."""

    def handle(self) -> None:
        self.say("220 loopback")
        while line := self.rfile.readline().decode().strip():
            match line.split(" ")[0].upper():
                case "EHLO" | "HELO":
                    self.say("250 loopback")
                case "DATA":
                    self.say("354 go on")
                    lines = []
                    while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                        lines.append(text.removeprefix("."))
                    self.server.mails.append("\n".join(lines))  # type: ignore[attr-defined]  # set beside the server
                    self.say("250 taken")
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 well")

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@pytest.fixture
def mails() -> Iterator[tuple[int, list[str]]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mail) as server:
        found: list[str] = []
        server.mails = found  # type: ignore[attr-defined]  # read by the handler
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1], found
        server.shutdown()


def test_a_failure_is_mailed_with_its_recap(tmp_path: Path, mails: tuple[int, list[str]]) -> None:
    needs_apprise()
    port, found = mails
    address = f"mailto://127.0.0.1:{port}?from=night@lab.example&to=ops@lab.example&mode=insecure"
    project = terminal_in(tmp_path, MAIL_SECRET=address)
    project.write("dce-play.toml", '[monitoring.apprise]\nurls = ["env:MAIL_SECRET"]\n')
    project.write(
        "night.yml", "version: 1\nname: night\nsteps: [{assert.that: {conditions: [false], message: the cat is out}}]\n"
    )
    said = project.run("run", "night.yml")
    assert said.code == 1
    assert "warning" not in said.err, said.err
    [text] = found
    mail = message_from_string(text, policy=policy.default)
    assert mail["To"] == "ops@lab.example"
    assert mail["Subject"].startswith("night failed (exit 1) on ")
    body = mail.get_body()
    assert body is not None
    assert "the cat is out" in body.get_content()


def test_what_apprise_cannot_send_is_a_warning_without_the_address(tmp_path: Path) -> None:
    needs_apprise()
    project = terminal_in(
        tmp_path, MAIL_SECRET="mailto://127.0.0.1:1?from=a@canary.example&to=b@canary.example&mode=insecure"
    )
    project.write("dce-play.toml", '[monitoring.apprise]\nurls = ["env:MAIL_SECRET"]\n')
    project.write("night.yml", "version: 1\nname: night\nsteps: [{assert.that: {conditions: [false]}}]\n")
    said = project.run("run", "night.yml")
    assert said.code == 1
    assert said.err == "warning: monitor apprise was not told: 1 of 1 address did not take it\n"
