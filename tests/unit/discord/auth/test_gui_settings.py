import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from dce_play.discord.auth.gui_settings import Machine, read_gui_token, settings_candidates, this_machine
from dce_play.discord.auth.token_file import BadTokenFile

MACHINE = Machine("0123456789abcdef0123456789abcdef")
TOKEN = "MTIzNDU2Nzg5.canary-token.of-the-desktop-program"


def encrypted(token: str, machine: Machine) -> str:
    key = PBKDF2HMAC(algorithm=SHA256(), length=16, salt=machine.salt.encode(), iterations=600_000).derive(
        machine.machine_id.encode()
    )
    nonce = bytes(range(12))
    sealed = AESGCM(key).encrypt(nonce, token.encode(), None)
    return "enc:" + (nonce + sealed[-16:] + sealed[:-16]).hex()


def settings(folder: Path, last_token: object) -> Path:
    path = folder / "Settings.dat"
    path.write_text(json.dumps({"Theme": "Dark", "LastToken": last_token}))
    return path


@pytest.mark.contract("R-11.03")
def test_a_plain_token_of_an_old_version_is_read(tmp_path: Path) -> None:
    assert read_gui_token(settings(tmp_path, TOKEN), MACHINE) == TOKEN


@pytest.mark.contract("R-11.03")
@pytest.mark.parametrize("salt", ["HimalayanPinkSalt", "another salt"])
def test_an_encrypted_token_is_read_on_its_own_machine(tmp_path: Path, salt: str) -> None:
    machine = Machine(MACHINE.machine_id, salt)
    assert read_gui_token(settings(tmp_path, encrypted(TOKEN, machine)), machine) == TOKEN


@pytest.mark.contract("R-11.03")
@pytest.mark.parametrize("other", [Machine("another machine"), Machine(MACHINE.machine_id, "another salt")])
def test_a_token_of_another_machine_or_salt_is_a_clear_error(tmp_path: Path, other: Machine) -> None:
    path = settings(tmp_path, encrypted(TOKEN, MACHINE))
    with pytest.raises(BadTokenFile, match="another machine"):
        read_gui_token(path, other)


@pytest.mark.contract("R-11.03")
@pytest.mark.parametrize(("last_token", "words"), [("enc:zz", "damaged"), ("enc:00ff", "cut short"), (17, "not text")])
def test_damaged_settings_are_a_clear_error(tmp_path: Path, last_token: object, words: str) -> None:
    with pytest.raises(BadTokenFile, match=words):
        read_gui_token(settings(tmp_path, last_token), MACHINE)


@pytest.mark.contract("R-11.03")
@pytest.mark.parametrize("last_token", [None, ""])
def test_settings_without_a_saved_token_hold_none(tmp_path: Path, last_token: object) -> None:
    assert read_gui_token(settings(tmp_path, last_token), MACHINE) is None


@pytest.mark.contract("R-11.03")
def test_the_machine_id_is_the_first_file_with_text(tmp_path: Path) -> None:
    empty, second = tmp_path / "empty", tmp_path / "second"
    empty.write_text("\n")
    second.write_text("the-id\n")
    assert this_machine({}, (tmp_path / "missing", empty, second)) == Machine("the-id")
    assert this_machine({"DCE_ENCRYPTION_SALT": "S"}, (second,)) == Machine("the-id", "S")


def test_configured_settings_may_be_a_folder_or_a_file(tmp_path: Path) -> None:
    def candidates(value: Path) -> list[Path]:
        return settings_candidates({"DISCORDCHATEXPORTER_SETTINGS_PATH": str(value)}, tmp_path, tmp_path)

    assert candidates(tmp_path) == [tmp_path / "Settings.dat"]
    assert candidates(tmp_path / "My.dat") == [tmp_path / "My.dat"]
