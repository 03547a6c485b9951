"""A token that Discord stops accepting, as operators meet it: before the first channel, attended and not."""

import contextlib
import json
import os
import pty
import socket
import subprocess
from pathlib import Path

import pytest

from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.worlds import Size, build_world
from tests.support.command_line import Terminal, terminal_in


@pytest.mark.contract("R-3.22", "R-11.09", "R-11.11")
@pytest.mark.parametrize("attended", [True, False])
def test_a_dead_token_is_renewed_in_the_preflight_already(tmp_path: Path, *, attended: bool) -> None:
    with running_simulator(build_world(1, size=Size(channels=1, messages=3))) as simulator:
        token = tmp_path / "token"
        token.write_text("a-dead-token\n")
        token.chmod(0o600)
        fresh = tmp_path / "fresh"
        fresh.write_text(simulator.token)
        terminal = terminal_in(
            tmp_path,
            DCE_MIN_FREE_MB="0",
            DCE_DISCORD_API_BASE=simulator.base_url,
            DCE_CONFIG_FILE=str(tmp_path / "targets.yml"),
            DISCORD_TOKEN_FILE=str(token),
            DCE_REAUTH_UNATTENDED="0" if attended else "1",
        )
        renew = terminal.folder / "renew"
        renew.write_text(f'#!/bin/sh\n/bin/cp "{fresh}" "{token}"\n')
        renew.chmod(0o755)
        guild_id = next(iter(simulator.world.guilds))
        (tmp_path / "targets.yml").write_text(
            f"archive_root: {tmp_path}/archives\ntargets:\n"
            f"  - {{name: demo, output_dir: {tmp_path}/archives/demo, guild_ids: ['{guild_id}']}}\n"
        )
        run = _at_a_terminal if attended else _unattended
        code, out = run(terminal, DCE_REAUTH_COMMAND=str(renew))
    assert code == 0, out
    assert out.count("Refreshed the token") == 1
    assert out.index("Refreshed the token") < out.index("Preflight ok")
    assert simulator.token not in out


def _unattended(terminal: Terminal, **variables: str) -> tuple[int, str]:
    said = Terminal(folder=terminal.folder, variables={**terminal.variables, **variables}).run("run", "scrape", "-v")
    return said.code, said.out + said.err


def _at_a_terminal(terminal: Terminal, **variables: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        terminal.argv("run", "scrape", "-v"),
        cwd=terminal.folder,
        env={**terminal.environment, **variables, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = bytearray()
    with contextlib.suppress(OSError):  # how a terminal tells that the last program has left it
        while data := os.read(ours, 65536):
            said += data
    os.close(ours)
    return process.wait(60), said.decode()


def guild_operator(tmp_path: Path, simulator: Simulator, token: str, **target: str) -> Terminal:
    """Return a terminal with one target over the world's guild."""
    entry = {"name": "demo", "output_dir": f"{tmp_path}/archives/demo", "guild_ids": list(simulator.world.guilds)}
    targets = {"archive_root": f"{tmp_path}/archives", "targets": [{**entry, **target}]}
    (tmp_path / "targets.json").write_text(json.dumps(targets), encoding="utf-8")
    return terminal_in(
        tmp_path,
        DCE_MIN_FREE_MB="0",
        DCE_DISCORD_API_BASE=simulator.base_url,
        DCE_CONFIG_FILE=str(tmp_path / "targets.json"),
        DCE_CLI_BIN="/bin/false",
        DISCORD_TOKEN=token,
    )


@pytest.mark.parametrize("exporter", ["discord_api", "dce_cli"])
@pytest.mark.parametrize(("taken", "code"), [(True, 0), (False, 7)])
@pytest.mark.contract("R-6.01", "O19")
def test_safe_to_run_is_said_of_a_token_that_discord_takes_only(
    tmp_path: Path, *, taken: bool, code: int, exporter: str
) -> None:
    with running_simulator(build_world(1, size=Size(channels=1, messages=3))) as simulator:
        token = simulator.token if taken else "a-dead-token"
        terminal = guild_operator(tmp_path, simulator, token, exporter=exporter)
        handoff, check = terminal.run("run", "handoff"), terminal.run("auth", "check")
    assert (handoff.code, check.code) == (code, code), handoff.out + handoff.err + check.err
    assert ("Safe to run" in handoff.out) is taken
    assert ("Discord takes it" in check.out) is taken
    assert simulator.token not in handoff.out + check.out


def test_a_guild_that_the_token_does_not_see_is_not_safe_to_run(tmp_path: Path) -> None:
    with running_simulator(build_world(1, size=Size(channels=1, messages=3))) as simulator:
        terminal = guild_operator(tmp_path, simulator, simulator.token, exporter="discord_api")
        assert terminal.run("run", "scrape", "--skip-preflight").code == 0
        text = (tmp_path / "targets.json").read_text(encoding="utf-8")
        guild_id = next(iter(simulator.world.guilds))
        (tmp_path / "targets.json").write_text(text.replace(guild_id, "754679440998400000"), encoding="utf-8")
        handoff, check = terminal.run("run", "handoff"), terminal.run("auth", "check")
    said = "the token does not see guild 754679440998400000 of target 'demo'"
    assert said in handoff.out
    assert "Safe to run" not in handoff.out
    assert (check.code, said in check.out) == (1, True)


def test_where_discord_does_not_answer_nothing_is_said_to_be_safe(tmp_path: Path) -> None:
    terminal = terminal_in(
        tmp_path,
        DCE_MIN_FREE_MB="0",
        DCE_DISCORD_API_BASE="http://127.0.0.1:9/api/v10",
        DCE_CONFIG_FILE=str(tmp_path / "targets.yml"),
        DISCORD_TOKEN="a-token-nobody-was-asked-about",
    )
    (tmp_path / "targets.yml").write_text(
        f"archive_root: {tmp_path}/archives\ntargets:\n"
        f"  - {{name: demo, output_dir: {tmp_path}/archives/demo, channel_ids: ['111111111111111111']}}\n"
    )
    handoff = terminal.run("run", "handoff")
    assert handoff.code == 0
    assert "Handoff complete. Discord did not say" in handoff.out
    assert "Safe to run" not in handoff.out


@pytest.mark.contract("O19")
def test_when_discord_is_down_the_check_says_so_and_what_to_do(tmp_path: Path) -> None:
    nowhere = socket.socket()
    nowhere.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port, and nobody answers
    with nowhere:
        base = f"http://127.0.0.1:{nowhere.getsockname()[1]}"
        terminal = terminal_in(tmp_path, DISCORD_TOKEN="x" * 40, DCE_DISCORD_API_BASE=base)
        said = terminal.run("auth", "check")
    assert said.code == 1
    assert "error: whether Discord takes the token is not known: request to 'users/@me' failed: " in said.err
    assert "hint: is the network there? the token is as it was; ask again later: dce-play auth check\n" in said.err
    assert "partial" not in said.err
