import json
from pathlib import Path

import pytest

from dce_play.discord.auth.discovery import FoundToken, NoToken, Places, discover_token, gui_token
from dce_play.discord.auth.env_file import InvalidEnvFile
from dce_play.discord.auth.token_file import BadTokenFile


@pytest.fixture
def where(tmp_path: Path) -> Places:
    (tmp_path / "work").mkdir()
    return Places(environment={}, folder=tmp_path / "work", home=tmp_path / "home")


def with_environment(where: Places, **values: str) -> Places:
    return Places(environment=values, folder=where.folder, home=where.home)


def put(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def put_everywhere(where: Places) -> Places:
    """Every place but the keyring holds its own token, named after the place."""
    file = put(where.folder / "from-environment", "of-the-file")
    env_token = put(where.folder / "from-env-file", "of-the-env-files-file")
    put(where.env_file, f"DISCORD_TOKEN=of-the-env-file\nDISCORD_TOKEN_FILE={env_token}\n")
    put(where.folder / ".discord-token", "well-known-1")
    put(where.home / ".config/discord-scrape/token", "well-known-2")
    put(where.home / ".config/discord-token", "well-known-3")
    put(where.folder / "Settings.dat", json.dumps({"LastToken": "of-the-desktop-program"}))
    return with_environment(where, DISCORD_TOKEN="of-the-environment", DISCORD_TOKEN_FILE=str(file))


@pytest.mark.contract("R-11.01")
def test_the_places_are_asked_in_order(where: Places) -> None:
    where = put_everywhere(where)
    seen = [discover_token(where).token]
    where = with_environment(where, DISCORD_TOKEN="of-the-environment")
    seen.append(discover_token(where).token)
    where = with_environment(where)
    seen.append(discover_token(where).token)
    put(where.env_file, "DISCORD_TOKEN=of-the-env-file\n")
    seen.append(discover_token(where).token)
    for path in (
        where.env_file,
        where.folder / ".discord-token",
        where.home / ".config/discord-scrape/token",
        where.home / ".config/discord-token",
    ):
        path.unlink()
        seen.append(discover_token(where).token)
    assert seen == [
        "of-the-file",
        "of-the-environment",
        "of-the-env-files-file",
        "of-the-env-file",
        "well-known-1",
        "well-known-2",
        "well-known-3",
        "of-the-desktop-program",
    ]


@pytest.mark.contract("R-11.01", "R-9.03", "D-44")
def test_empty_places_are_passed_over_with_a_note(where: Places) -> None:
    put(where.env_file, "DISCORD_TOKEN=\n")
    put(where.folder / ".discord-token", " \r\nsecond line\n")
    put(where.home / ".config/discord-token", "real\r\n")
    found = discover_token(with_environment(where, DISCORD_TOKEN="  "))
    assert found.token == "real"
    assert len(found.warnings) == 3


@pytest.mark.contract("R-11.01", "E-01")
def test_no_token_anywhere_says_where_it_looked(where: Places) -> None:
    put(where.folder / ".discord-token", "")
    with pytest.raises(NoToken) as caught:
        discover_token(where)
    assert ".discord-token is empty" in str(caught.value)
    assert "DISCORD_TOKEN" in caught.value.hint


@pytest.mark.contract("R-9.03")
def test_a_token_file_that_was_named_and_is_missing_is_an_error(where: Places) -> None:
    with pytest.raises(BadTokenFile, match="no such file"):
        discover_token(with_environment(where, DISCORD_TOKEN_FILE=str(where.folder / "gone"), DISCORD_TOKEN="x" * 30))


@pytest.mark.contract("R-11.07")
def test_a_token_file_that_others_can_read_is_warned_about(where: Places) -> None:
    put(where.folder / ".discord-token", "token", mode=0o644)
    assert any("chmod 600" in warning for warning in discover_token(where).warnings)


@pytest.mark.contract("R-11.08")
def test_a_token_with_a_blank_or_line_break_inside_is_refused_without_showing_it(where: Places) -> None:
    with pytest.raises(BadTokenFile) as caught:
        discover_token(with_environment(where, DISCORD_TOKEN="canary\nX-Header: 1"))
    assert "canary" not in str(caught.value) + caught.value.hint


@pytest.mark.contract("F-D9")
def test_a_text_too_short_for_a_token_is_no_token_and_ends_with_7(where: Places) -> None:
    with pytest.raises(BadTokenFile, match="fewer than 4 characters are no token") as caught:
        discover_token(with_environment(where, DISCORD_TOKEN="bad"))
    assert caught.value.exit_code == 7


@pytest.mark.contract("R-11.08")
def test_a_found_token_does_not_show_in_its_repr() -> None:
    assert "canary" not in repr(FoundToken(token="canary", source="environment"))


@pytest.mark.contract("R-11.04")
def test_the_desktop_programs_token_is_taken_although_the_environment_has_one(where: Places) -> None:
    where = put_everywhere(where)
    assert gui_token(where).token == "of-the-desktop-program"


def test_a_broken_env_file_is_an_error_and_not_passed_over(where: Places) -> None:
    put(where.env_file, "what is this\n")
    with pytest.raises(InvalidEnvFile):
        discover_token(where)


@pytest.mark.contract("R-11.02", "D-55")
def test_the_desktop_clients_storage_is_never_read(where: Places) -> None:
    put(where.home / ".config/discord/Local Storage/leveldb/000003.log", '"token":"' + "a" * 24 + "." + "b" * 6)
    with pytest.raises(NoToken):
        discover_token(where)
