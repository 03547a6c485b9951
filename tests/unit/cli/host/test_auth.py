import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dce_play.cli.app.main import main, root

TOKEN = "canary-token-of-this-test"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("DISCORD_TOKEN", "DISCORD_TOKEN_FILE", "DCE_ENV_FILE", "DISCORDCHATEXPORTER_SETTINGS_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "work"


def run(*words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(root, ["auth", *words], input=text, catch_exceptions=False)


@pytest.mark.contract("R-11.08", "V-14", "R-8.12", "D-67")
def test_a_token_is_set_from_standard_input_and_shown_by_nothing(folder: Path) -> None:
    assert main(["auth", "status"]) == 7
    done = run("set", text=f"{TOKEN}\n")
    status = run("status")
    assert (folder / "scrape.env").read_text() == f"DISCORD_TOKEN={TOKEN}\n"
    assert stat.S_IMODE((folder / "scrape.env").stat().st_mode) == 0o600
    assert "scrape.env" in status.output
    assert TOKEN not in done.output + status.output + run("status", "--format", "json").output


@pytest.mark.contract("V-15", "R-11.06", "R-9.09")
def test_an_existing_env_file_is_replaced_only_when_forced_and_keeps_its_other_lines(folder: Path) -> None:
    (folder / "scrape.env").write_text("TZ=UTC\nDISCORD_TOKEN=old\n")
    (folder / "secret").write_text(TOKEN)
    assert main(["auth", "set", "--token-file", "secret"]) == 2
    run("set", "--token-file", "secret", "--force")
    assert (folder / "scrape.env").read_text() == f"TZ=UTC\nDISCORD_TOKEN=old\nDISCORD_TOKEN_FILE={folder}/secret\n"
    assert "DISCORD_TOKEN_FILE" in run("status").output


@pytest.mark.contract("R-11.04")
def test_syncing_takes_the_desktop_programs_token_although_the_environment_has_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "of-the-environment")
    (folder / "Settings.dat").write_text(json.dumps({"LastToken": TOKEN}))
    done = run("sync-gui")
    assert (folder / "scrape.env").read_text() == f"DISCORD_TOKEN={TOKEN}\n"
    assert "Settings.dat" in done.output
    assert TOKEN not in done.output


@pytest.mark.contract("R-11.04")
def test_syncing_without_a_desktop_program_says_what_is_missing_although_the_environment_has_a_token(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "of-the-environment")
    assert main(["auth", "sync-gui"]) == 7
    told = capsys.readouterr().err
    assert "no token of DiscordChatExporter's desktop program found" in told
    assert "DISCORDCHATEXPORTER_SETTINGS_PATH" in told
    assert not (folder / "scrape.env").exists()


@pytest.mark.contract("R-11.01")
def test_an_empty_token_file_is_refused(folder: Path) -> None:
    (folder / "secret").write_text("\n")
    assert main(["auth", "set", "--token-file", "secret"]) != 0
    assert not (folder / "scrape.env").exists()
