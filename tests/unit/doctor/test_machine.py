"""Rows about folders, room, certificates and secret files: when they turn yellow and red, each with its cure."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from dce_play.doctor.machine import certificate_row, folders_row, room_row, secret_file_row

NOW = datetime.now(UTC)


def certificate(folder: Path, *, days: float) -> Path:
    path = folder / "host.pem"
    trustme.CA().issue_cert("lab-1", not_after=NOW + timedelta(days=days)).cert_chain_pems[0].write_to_path(path)
    return path


@pytest.mark.contract("D4")
@pytest.mark.parametrize(
    ("days", "level"), [(31, "green"), (29, "yellow"), (6, "yellow"), (1.5, "yellow"), (0.5, "red"), (-1, "red")]
)
def test_a_certificate_turns_yellow_a_month_before_its_end_and_red_on_its_last_day(
    tmp_path: Path, days: float, level: str
) -> None:
    row = certificate_row("cert.client", certificate(tmp_path, days=days), now=NOW)
    assert (row.code, row.level) == ("cert.client", level)
    assert bool(row.fix) is (level != "green")


@pytest.mark.contract("D4")
@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_certificate_that_cannot_be_read_is_red(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "host.pem"
    if content is not None:
        path.write_bytes(content)
    row = certificate_row("cert.server", path, now=NOW)
    assert row.level == "red"
    assert row.fix == (f"openssl x509 -in {path} -noout -subject -dates",)


@pytest.mark.contract("D4")
def test_room_is_red_below_the_least_and_yellow_near_it(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    free = status.f_bavail * status.f_frsize
    levels = [room_row(tmp_path, min_free=least).level for least in (0, int(free * 0.75), free * 2)]
    assert levels == ["green", "yellow", "red"]


@pytest.mark.contract("D4")
def test_a_folder_that_is_a_file_is_red_and_one_that_will_be_made_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert folders_row((tmp_path, tmp_path / "new"), user="x").level == "green"
    assert folders_row((tmp_path, tmp_path / "file"), user="x").level == "red"
    assert folders_row((tmp_path / "a" / "b",), user="x").fix == (f"sudo install -d -m 0750 -o x {tmp_path}/a/b",)


@pytest.mark.contract("D4")
def test_a_secret_that_others_can_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "token"
    assert secret_file_row(path).level == "red"
    path.write_text("dcp_1_2\n")
    path.chmod(0o644)
    row = secret_file_row(path)
    assert (row.level, row.fix) == ("yellow", (f"sudo chmod 0640 {path}",))
    path.chmod(0o640)
    assert secret_file_row(path).level == "green"
