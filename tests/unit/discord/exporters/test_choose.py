"""Tests of which exporter a run uses."""

from dataclasses import replace
from pathlib import Path

import pytest

from dce_play.discord.exporters.choose import (
    ExporterContext,
    ExporterName,
    NoArchiveRoot,
    UnknownExporter,
    api_base,
    chosen_exporter,
    open_exporter,
)
from dce_play.discord.exporters.dce_launch import NoDceCli
from dce_play.discord.exporters.discord_api.rest.transport import BadApiBase
from dce_play.discord.exporters.protocol import ExportFailed
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker
from tests.support.fakes import FakeClock


def context(environ: dict[str, str]) -> ExporterContext:
    return ExporterContext(
        environ=environ, token="a-token.of-length", clock=FakeClock(), executor=LocalExecutor(environ, Masker())
    )


def test_auto_is_our_own_exporter() -> None:
    assert chosen_exporter("auto", {}) is ExporterName.DISCORD_API


def test_auto_follows_a_dce_that_is_named() -> None:
    assert chosen_exporter("auto", {"DCE_CLI_BIN": "/opt/dce"}) is ExporterName.DCE_CLI


@pytest.mark.parametrize("name", ["discord_api", "dce_cli", "container"])
def test_a_name_is_taken_whatever_the_environment_says(name: str) -> None:
    assert chosen_exporter(name, {"DCE_CLI_BIN": "/opt/dce"}) == name


def test_a_name_with_a_typo_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownExporter) as unknown:
        chosen_exporter("discord_ap", {})

    assert "discord_api" in unknown.value.hint


@pytest.mark.contract("R-18.10")
def test_the_api_base_comes_from_the_environment() -> None:
    assert api_base({}) == "https://discord.com/api/v10"
    assert api_base({"DCE_DISCORD_API_BASE": "http://127.0.0.1:1/api"}) == "http://127.0.0.1:1/api"


def test_our_own_exporter_opens_without_a_request() -> None:
    with open_exporter(ExporterName.DISCORD_API, context({"DCE_DISCORD_API_BASE": "http://127.0.0.1:9/api"})) as it:
        assert it.name == "discord_api"


def test_our_own_exporter_does_not_open_for_a_base_that_would_show_the_token() -> None:
    environ = {"DCE_DISCORD_API_BASE": "http://discord.com/api"}

    with pytest.raises(BadApiBase), open_exporter(ExporterName.DISCORD_API, context(environ)):
        pass


def test_a_dce_opens_where_it_is_named(tmp_path: Path) -> None:
    program = tmp_path / "dce"
    program.write_text("#!/bin/sh\necho v2.46\n")
    program.chmod(0o755)

    with open_exporter(ExporterName.DCE_CLI, context({"DCE_CLI_BIN": str(program)})) as exporter:
        assert exporter.name == "dce_cli"


def test_a_program_that_is_no_dce_does_not_open(tmp_path: Path) -> None:
    program = tmp_path / "dce"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    with (
        pytest.raises(ExportFailed, match="does not tell its version"),
        open_exporter(ExporterName.DCE_CLI, context({"DCE_CLI_BIN": str(program)})),
    ):
        pass


@pytest.mark.contract("R-17.07")
def test_an_old_dce_is_warned_about(tmp_path: Path) -> None:
    program = tmp_path / "dce"
    program.write_text("#!/bin/sh\necho v2.31\n")
    program.chmod(0o755)
    notes: list[str] = []

    opened = replace(context({"DCE_CLI_BIN": str(program)}), note=notes.append)
    with open_exporter(ExporterName.DCE_CLI, opened):
        assert any(note.startswith("WARN: DiscordChatExporter 2.31") for note in notes), notes


def test_a_dce_that_is_not_there_does_not_open(tmp_path: Path) -> None:
    environ = {"DCE_CLI_BIN": str(tmp_path / "missing")}

    with pytest.raises(NoDceCli), open_exporter(ExporterName.DCE_CLI, context(environ)):
        pass


def test_a_container_needs_an_archive_root() -> None:
    with pytest.raises(NoArchiveRoot), open_exporter(ExporterName.CONTAINER, context({})):
        pass


def test_the_token_is_not_in_the_repr() -> None:
    assert "a-token" not in repr(context({}))
