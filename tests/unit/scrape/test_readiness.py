from pathlib import Path

import pytest

from dce_play.scrape.readiness import Verdict, disk_checks, memory_checks, token_checks
from dce_play.targets.model import Target


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
