from pathlib import Path

import pytest

from dce_play.discord.exporters.protocol import ChannelSkipped, ExportFailed, SkipReason
from dce_play.discord.scrape.preflight import PreflightFailed, preflight_target
from dce_play.discord.targets.model import Target
from dce_play.snowflake import ChannelId
from tests.support.canned_exporter import CannedExporter, tree
from tests.support.channel_files import write_channel

A, B = "100000000000000000", "200000000000000000"


@pytest.fixture
def target(tmp_path: Path) -> Target:
    write_channel(tmp_path / "demo" / f"x [{A}].json", [1, 2], channel_id=A)
    return Target(name="demo", output_dir=tmp_path / "demo", channel_ids=(ChannelId(A), ChannelId(B)))


def probe(target: Target, exporter: CannedExporter, enough: int = 1) -> list[str]:
    lines: list[str] = []
    preflight_target(target, exporter=exporter, enough=enough, note=lines.append)
    return lines


@pytest.mark.contract("R-3.20", "D-46", "E-09", "E-16")
def test_a_preflight_probes_behind_the_cursor_and_writes_nothing(target: Target) -> None:
    before = tree(target.output_dir)
    exporter = CannedExporter()
    lines = probe(target, exporter)
    assert exporter.listed == [f"probe {A} 2"]
    assert lines[-1].startswith("Preflight ok for target 'demo': token verified (2 channel(s) resolved")
    assert tree(target.output_dir) == before


@pytest.mark.contract("R-3.20", "D-47")
def test_all_channels_can_be_probed(target: Target) -> None:
    exporter = CannedExporter()
    probe(target, exporter, enough=0)
    assert exporter.listed == [f"probe {A} 2", f"probe {B} None"]


@pytest.mark.contract("R-3.21", "D-47", "D-03")
def test_a_crash_is_a_failure_and_not_an_inaccessible_channel(target: Target) -> None:
    exporter = CannedExporter(troubles={A: ExportFailed("boom: out of memory in zoom-room")})
    with pytest.raises(ExportFailed):
        probe(target, exporter)


@pytest.mark.contract("E-12")
def test_only_inaccessible_channels_warn_where_archives_exist_and_fail_where_none_do(
    target: Target, tmp_path: Path
) -> None:
    troubles: dict[str, Exception] = {each: ChannelSkipped(each, SkipReason.FORBIDDEN) for each in (A, B)}
    lines = probe(target, CannedExporter(troubles=troubles))
    assert "with warning: all 2 resolved channel(s) are inaccessible, but 1 seeded archive(s)" in lines[-1]
    bare = Target(name="bare", output_dir=tmp_path / "bare", channel_ids=(ChannelId(B),))
    with pytest.raises(PreflightFailed, match="every resolved channel is inaccessible"):
        probe(bare, CannedExporter(troubles=troubles))


@pytest.mark.contract("R-3.20")
def test_a_bad_channel_file_is_told_and_does_not_fail_the_probe(target: Target) -> None:
    (target.output_dir / f"x [{A}].json").write_bytes(b"")
    exporter = CannedExporter()
    lines = probe(target, exporter)
    assert exporter.listed == [f"probe {A} None"]
    assert lines[0].startswith("WARN: ")
    assert "the file is empty" in lines[0]
    assert lines[-1].startswith("Preflight ok")
