import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dce_play.discord.lock.archive_lock import archive_lock
from dce_play.discord.scrape.readiness import (
    Verdict,
    clock_check,
    disk_checks,
    exporter_checks,
    lock_check,
    memory_checks,
    temp_checks,
    token_checks,
)
from dce_play.discord.targets.model import Target, TargetsFile
from tests.support.processes import running

NOW = datetime(2026, 11, 21, 1, 15, 7, tzinfo=UTC)


@pytest.mark.contract("R-9.02", "V-06")
def test_too_little_space_fails_naming_mount_and_numbers(tmp_path: Path) -> None:
    (check,) = disk_checks([tmp_path, tmp_path / "not there yet"], {"DCE_MIN_FREE_MB": "999999999"})
    assert check.verdict is Verdict.FAIL
    assert check.detail.startswith("Insufficient disk space on /")
    assert "need at least 999999999 MiB" in check.detail


@pytest.mark.contract("R-9.02")
@pytest.mark.parametrize("environment", [{"DCE_MIN_FREE_MB": "0"}, {"DCE_SKIP_DISK_CHECK": "1"}])
def test_the_disk_check_can_be_skipped(tmp_path: Path, environment: dict[str, str]) -> None:
    (check,) = disk_checks([tmp_path], environment)
    assert (check.verdict, check.detail[:19]) == (Verdict.OK, "disk: check skipped")


def test_a_threshold_that_is_no_number_fails(tmp_path: Path) -> None:
    (check,) = disk_checks([tmp_path], {"DCE_MIN_FREE_MB": "lots"})
    assert check.verdict is Verdict.FAIL


@pytest.mark.contract("R-9.03", "D-44")
def test_an_empty_token_is_no_token(tmp_path: Path) -> None:
    (tmp_path / "scrape.env").write_text("DISCORD_TOKEN=\n")
    (check,) = token_checks({"HOME": str(tmp_path)}, tmp_path)
    assert check.verdict is Verdict.FAIL
    (tmp_path / "scrape.env").write_text("DISCORD_TOKEN=canary-token\n")
    (tmp_path / "scrape.env").chmod(0o600)
    (check,) = token_checks({"HOME": str(tmp_path)}, tmp_path)
    assert check.verdict is Verdict.OK
    assert "canary" not in check.detail


@pytest.mark.contract("R-9.05", "V-01", "V-02")
def test_a_targets_memory_is_told_unless_a_global_cap_is_set() -> None:
    targets = [Target(name="demo", output_dir=Path("/a"), container_memory="4g")]
    assert [check.detail for check in memory_checks(targets, {})] == ["target memory: demo → 4g"]
    capped = memory_checks(targets, {"DCE_CONTAINER_MEMORY": "8g"})
    assert [check.detail for check in capped] == ["container memory: 8g (DCE_CONTAINER_MEMORY)"]


@pytest.mark.contract("R-9.10")
def test_the_lock_is_told_and_another_runs_is_a_warning(tmp_path: Path) -> None:
    def told() -> tuple[Verdict, str]:
        check = lock_check(tmp_path, {})
        return check.verdict, check.detail

    assert told() == (Verdict.OK, "lock: free (no lock file)")
    with archive_lock(tmp_path, environment={}, command="pytest").acquire():
        assert told() == (Verdict.OK, "lock: held by this run")
    with running(["flock", tmp_path / ".dce-scrape.lock", "sh", "-c", "echo held; sleep 600"], until="held"):
        assert told() == (Verdict.WARN, "lock: held (active scrape)")


@pytest.mark.contract("R-9.10")
def test_what_dead_runs_left_is_counted_a_target(tmp_path: Path) -> None:
    targets = [Target(name=name, output_dir=tmp_path / name) for name in ("clean", "left")]
    assert [check.detail for check in temp_checks(targets, NOW)] == ["temps: none left behind"]
    for number in (1, 2):
        place = tmp_path / "left" / ".dce-temp" / f"export.11111111111111111{number}.abcdef"
        place.mkdir(parents=True)
        (place / "export.json").write_bytes(b"x" * number)
    (check,) = temp_checks(targets, NOW)
    assert check.verdict is Verdict.WARN
    assert check.detail.startswith("temps: left has 2 exports of dead runs, 3 bytes")


@pytest.mark.contract("R-9.10")
def test_a_clock_behind_our_own_records_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "scrape-targets.json"
    path.touch()
    targets_file = TargetsFile(path=path, sha256="0" * 64, archive_root=tmp_path)
    for seconds, verdict in ((0, Verdict.OK), (299, Verdict.OK), (301, Verdict.WARN)):
        os.utime(path, (0, NOW.timestamp() + seconds))
        assert clock_check(targets_file, (), NOW).verdict is verdict


@pytest.mark.contract("R-9.10")
def test_the_exporter_is_told_and_one_that_is_not_installed_fails(tmp_path: Path) -> None:
    def told(exporter: str, **environment: str) -> list[tuple[Verdict, str]]:
        target = Target(name="demo", output_dir=tmp_path, exporter=exporter)
        checks = exporter_checks([target], {"PATH": str(tmp_path), "HOME": str(tmp_path), **environment})
        return [(check.verdict, check.detail) for check in checks]

    ((verdict, detail),) = told("discord_api")
    assert (verdict, detail.startswith("exporter: discord_api ")) == (Verdict.OK, True)
    assert told("dce_cli")[0][0] is Verdict.FAIL
    assert told("dce_cli", DCE_CLI_BIN="/bin/true") == [(Verdict.OK, "exporter: dce_cli /bin/true")]
    assert told("container") == []
