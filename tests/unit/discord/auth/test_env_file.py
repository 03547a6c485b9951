import stat
from pathlib import Path

import pytest

from dce_play.discord.auth.env_file import InvalidEnvFile, read_env_file, write_env_values
from dce_play.discord.auth.known_secrets import known_secrets
from dce_play.errors import ExitCode
from dce_play.system.secret_names import LARGEST_FILE_BYTES


def env_file(folder: Path, text: str) -> Path:
    path = folder / "scrape.env"
    path.write_text(text)
    return path


@pytest.mark.contract("R-11.05", "H-01")
def test_assignments_are_read_and_nothing_is_evaluated(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    path = env_file(
        tmp_path,
        f'# a comment\n\n export DISCORD_TOKEN = "$(touch {marker})" \nTZ=\'UTC\'\nDCE_UID=1000 # stays\nDCE_GID="x\n',
    )
    assert read_env_file(path).values == {
        "DISCORD_TOKEN": f"$(touch {marker})",
        "TZ": "UTC",
        "DCE_UID": "1000 # stays",
        "DCE_GID": '"x',
    }
    assert not marker.exists()


@pytest.mark.contract("R-11.05", "D-53")
@pytest.mark.parametrize("line", ["PATH=/canary/bin", "canary words", "9X=canary", "LD_PRELOAD=canary"])
def test_a_bad_line_is_named_by_number_and_its_value_is_not_shown(tmp_path: Path, line: str) -> None:
    path = env_file(tmp_path, f"TZ=UTC\n{line}\n")
    with pytest.raises(InvalidEnvFile) as caught:
        read_env_file(path)
    assert f"{path}:2:" in str(caught.value)
    assert "canary" not in str(caught.value) + caught.value.hint


@pytest.mark.contract("R-11.06", "V-14")
def test_writing_a_value_keeps_every_other_line_and_closes_the_mode(tmp_path: Path) -> None:
    path = env_file(tmp_path, "# mine\nTZ=UTC\nexport DISCORD_TOKEN=old\nDCE_UID=7\n")
    path.chmod(0o644)
    write_env_values(path, {"DISCORD_TOKEN": "new"})
    assert path.read_text() == "# mine\nTZ=UTC\nDCE_UID=7\nDISCORD_TOKEN=new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.contract("R-11.06")
def test_a_new_env_file_has_mode_600(tmp_path: Path) -> None:
    path = tmp_path / "scrape.env"
    write_env_values(path, {"DISCORD_TOKEN_FILE": "/run/token"})
    assert path.read_text() == "DISCORD_TOKEN_FILE=/run/token\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_other_lines_stay_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "scrape.env"
    others = b"# caf\xe9 \xe2\x80\xa8 \x0c\r\nDCE_PARALLEL=1\r\n\n"
    path.write_bytes(others + b"DISCORD_TOKEN=old\r\n# end")
    write_env_values(path, {"DISCORD_TOKEN": "new-token"})
    assert path.read_bytes() == others + b"# end\nDISCORD_TOKEN=new-token\n"
    write_env_values(path, {"DISCORD_TOKEN": "newer-token"})
    assert path.read_bytes() == others + b"# end\nDISCORD_TOKEN=newer-token\n"


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_secret_that_is_not_looked_for_is_not_taken(tmp_path: Path, beyond: int) -> None:
    secret = "the-secret-at-the-end"
    last = f"\nDISCORD_TOKEN={secret}"
    path = env_file(tmp_path, "#" * (LARGEST_FILE_BYTES - len(last) + beyond) + last)
    if not beyond:
        assert read_env_file(path).values == {"DISCORD_TOKEN": secret}
        assert secret in known_secrets({}, tmp_path)
    else:
        with pytest.raises(InvalidEnvFile, match="is larger than 64 KiB") as refused:
            read_env_file(path)
        assert refused.value.exit_code == ExitCode.INVALID
        assert secret not in f"{refused.value} {refused.value.hint}"
