"""The DCE exporter against a stand-in that replays how the real program was seen to end."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dce_play.discord.exporters.dce_cli import CliExporter, Limits, LineSink, version_warning
from dce_play.discord.exporters.dce_launch import LocalLauncher, NoDceCli, find_dce_cli, installed_dce_cli
from dce_play.discord.exporters.protocol import (
    AuthenticationFailed,
    ChannelSkipped,
    Completeness,
    DiskFull,
    ExportAborted,
    ExportCancelled,
    ExportFailed,
    ExportOutcome,
    ExportProgress,
    ExportRequest,
)
from dce_play.snowflake import ChannelId, GuildId, MessageId
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker

STANDIN = Path(__file__).parents[3] / "standins" / "dce_cli.py"
TOKEN = "marker-token-never-shown"
CHANNEL = ChannelId("796622485192704000")


class Bench:
    """A stand-in set up in a folder, and the exporter that drives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script: dict[str, object] = {"log": str(folder / "calls.log")}
        self.lines: list[tuple[str, str]] = []

    def exporter(
        self, *, limits: Limits | None = None, prove: bool = False, on_line: LineSink | None = None
    ) -> CliExporter:
        path = self.folder / "standin.json"
        path.write_text(json.dumps(self.script))
        environ = {"PATH": os.environ["PATH"], "DCE_STANDIN": str(path)}
        executor = LocalExecutor(environ, Masker())
        launcher = LocalLauncher(binary=STANDIN, token=TOKEN)
        return CliExporter(executor, launcher, limits=limits, prove=prove, on_line=on_line)

    def case(self, case: str, **more: object) -> None:
        self.script["channels"] = {CHANNEL: {"case": case, **more}}

    def export(self, *, after: str | None = None, prove: bool = False, output: Path | None = None) -> ExportOutcome:
        return run(self.exporter(prove=prove), output or self.output, after=after)

    @property
    def output(self) -> Path:
        return self.folder / "export.json"

    @property
    def calls(self) -> list[Mapping[str, object]]:
        log = self.folder / "calls.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def run(
    exporter: CliExporter,
    output: Path,
    *,
    after: str | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[ExportProgress], None] = lambda _: None,
) -> ExportOutcome:
    request = ExportRequest(channel_id=CHANNEL, output=output, after=MessageId(after) if after else None)
    return exporter.export(request, on_progress=progress, cancelled=cancelled)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.contract("R-17.01", "R-3.05", "S-01")
def test_the_arguments_are_exactly_dces(bench: Bench) -> None:
    outcome = bench.export()
    wanted = ["export", "--channel", CHANNEL, "--format", "Json", "--output", str(bench.output), "--utc"]
    assert [call["argv"] for call in bench.calls] == [wanted]
    assert (outcome.message_count, outcome.last_id, outcome.completeness) == (3, "3", Completeness.UNPROVEN)
    assert json.loads(bench.output.read_bytes())["messageCount"] == 3


@pytest.mark.contract("R-17.01", "S-13", "S-14", "R-3.04")
def test_the_cursor_goes_along_as_after(bench: Bench) -> None:
    bench.case("ok", ids=["999999999999999999", "1000000000000000000", "1000000000000000001"])
    outcome = bench.export(after="1000000000000000000")
    argv = bench.calls[0]["argv"]
    assert isinstance(argv, list)
    assert argv[argv.index("--after") + 1] == "1000000000000000000"
    assert (outcome.message_count, outcome.last_id) == (1, "1000000000000000001")


@pytest.mark.contract("R-11.08", "R-17.01")
def test_the_token_travels_in_the_environment_alone(bench: Bench) -> None:
    bench.export()
    assert bench.calls[0]["token"] is True
    assert TOKEN not in json.dumps(bench.calls)


@pytest.mark.contract("R-17.05")
def test_percent_signs_in_the_output_path_are_doubled(bench: Bench) -> None:
    folder = bench.folder / "100%C done"
    folder.mkdir()
    bench.export(output=folder / "export.json")
    argv = bench.calls[0]["argv"]
    assert isinstance(argv, list)
    assert argv[argv.index("--output") + 1].endswith("/100%%C done/export.json")
    assert (folder / "export.json").exists()


def test_an_output_that_dce_would_take_for_a_folder_is_refused(bench: Bench) -> None:
    with pytest.raises(ExportFailed, match="folder"):
        bench.export(output=bench.folder / "export")
    assert bench.calls == []


@pytest.mark.parametrize("after", [None, "3"])
def test_nothing_newer_is_a_complete_export_of_nothing(bench: Bench, after: str | None) -> None:
    bench.case("ok", ids=[] if after is None else ["1", "3"])
    outcome = bench.export(after=after)
    assert (outcome.message_count, outcome.last_id, outcome.completeness) == (0, None, Completeness.COMPLETE)


def test_an_old_version_leaves_no_file_for_an_empty_channel(bench: Bench) -> None:
    bench.case("old_empty")
    assert bench.export().message_count == 0
    assert not bench.output.exists()


@pytest.mark.contract("R-3.16", "S-16")
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("forbidden", "forbidden"),
        ("forbidden_exit_0", "forbidden"),
        ("not_found", "not_found"),
        ("forum", "forum"),
        ("no_channels", "forum"),
    ],
)
def test_a_channel_that_cannot_be_read_is_skipped_and_leaves_no_file(bench: Bench, case: str, reason: str) -> None:
    bench.case(case)
    with pytest.raises(ChannelSkipped) as caught:
        bench.export()
    assert caught.value.reason.value == reason
    assert not bench.output.exists()


def test_what_was_read_before_a_channel_became_forbidden_is_kept(bench: Bench) -> None:
    bench.case("half_forbidden")
    with pytest.raises(ChannelSkipped):
        bench.export()
    assert len(json.loads(bench.output.read_bytes())["messages"]) == 2


@pytest.mark.contract("R-3.22", "R-18.04")
def test_a_dead_token_is_told(bench: Bench) -> None:
    bench.case("bad_token")
    with pytest.raises(AuthenticationFailed):
        bench.export()


@pytest.mark.contract("R-3.15", "S-17", "S-18", "R-16.05", "F-D7")
@pytest.mark.parametrize(
    ("case", "exit_code"), [("sigterm", 143), ("sigkill", 137), ("abort", 134), ("segfault", 139), ("sigint", 1)]
)
def test_an_aborted_export_keeps_its_partial(bench: Bench, case: str, exit_code: int) -> None:
    bench.case(case)
    with pytest.raises(ExportAborted) as caught:
        bench.export()
    assert caught.value.exit_code_seen == exit_code
    assert bench.output.stat().st_size > 0


@pytest.mark.contract("R-3.12")
def test_a_full_disk_is_an_error_of_its_own_and_keeps_the_partial(bench: Bench) -> None:
    bench.case("disk_full")
    with pytest.raises(DiskFull):
        bench.export()
    assert bench.output.stat().st_size > 0


@pytest.mark.contract("R-3.17", "D-64", "R-16.05")
def test_a_valid_file_of_a_failed_export_is_still_a_failure(bench: Bench) -> None:
    bench.case("unexpected")
    with pytest.raises(ExportFailed, match="InvalidOperationException"):
        bench.export()
    assert json.loads(bench.output.read_bytes())["messages"] == []


def test_a_cut_file_of_an_export_that_ended_well_is_a_failure(bench: Bench) -> None:
    bench.case("half")
    with pytest.raises(ExportFailed, match="not a whole export"):
        bench.export()


@pytest.mark.contract("R-3.15", "D-03")
def test_a_channel_called_boom_is_an_ordinary_failure(bench: Bench) -> None:
    bench.case("boom")
    with pytest.raises(ExportFailed):
        bench.export()


@pytest.mark.contract("R-3.19")
def test_a_stopped_run_ends_dce_and_keeps_the_partial(bench: Bench) -> None:
    bench.case("hangs")
    exporter = bench.exporter()
    with pytest.raises(ExportCancelled):
        run(exporter, bench.output, cancelled=bench.output.exists)
    assert bench.output.exists()


def test_a_dce_that_never_ends_is_ended(bench: Bench) -> None:
    bench.case("hangs")
    with pytest.raises(ExportFailed, match="was ended after"):
        run(bench.exporter(limits=Limits(export_s=1.0)), bench.output)


def test_a_dce_that_writes_nothing_any_more_is_ended(bench: Bench) -> None:
    bench.case("hangs")
    with pytest.raises(ExportFailed, match="wrote nothing for 3 s"):
        run(bench.exporter(limits=Limits(stall_s=3.0)), bench.output)


@pytest.mark.contract("R-3.23")
def test_progress_is_told_while_dce_is_silent(bench: Bench) -> None:
    bench.case("hangs")
    seen: list[ExportProgress] = []
    with pytest.raises(ExportCancelled):
        run(bench.exporter(), bench.output, cancelled=lambda: bool(seen), progress=seen.append)
    assert seen == [ExportProgress(message_count=2, last_timestamp="2015-01-01T00:00:00+00:00")]


def test_completeness_is_proved_by_asking_once_more(bench: Bench) -> None:
    assert bench.export(prove=True).completeness is Completeness.COMPLETE
    argv = bench.calls[1]["argv"]
    assert isinstance(argv, list)
    assert argv[argv.index("--after") + 1] == "3"
    assert not Path(argv[argv.index("--output") + 1]).parent.exists()


@pytest.mark.contract("R-3.20", "D-46")
def test_a_probe_downloads_nothing_and_leaves_nothing(bench: Bench) -> None:
    bench.exporter().probe(CHANNEL, MessageId("2"))
    argv = bench.calls[0]["argv"]
    assert isinstance(argv, list)
    output = Path(argv[argv.index("--output") + 1])
    assert not output.is_relative_to(bench.folder)
    assert not output.parent.exists()
    assert int(argv[argv.index("--before") + 1]) == int(argv[argv.index("--after") + 1]) + 1


@pytest.mark.contract("R-3.21")
@pytest.mark.parametrize(
    ("case", "error"), [("forbidden", ChannelSkipped), ("sigkill", ExportAborted), ("boom", ExportFailed)]
)
def test_a_probe_tells_a_refusal_from_a_crash(bench: Bench, case: str, error: type[Exception]) -> None:
    bench.case(case)
    with pytest.raises(error):
        bench.exporter().probe(CHANNEL, None)


@pytest.mark.contract("R-17.02", "R-3.03")
def test_listings_are_read(bench: Bench) -> None:
    bench.script["listings"] = {
        "guilds": "0 | Direct Messages\n754679440998400000 | Lab",
        "channels": "796622485192704000 | Main / rich\n * 796622522941440000 | Thread / t | Active",
        "dm": "796622485192704007 | bob, cy",
    }
    exporter = bench.exporter()
    guild = GuildId("754679440998400000")
    assert [each.name for each in exporter.guilds()] == ["Lab"]
    assert [each.name for each in exporter.channels(guild, threads="all", voice=False)] == [
        "Main / rich",
        "Main / rich / t",
    ]
    assert [each.name for each in exporter.direct_messages()] == ["bob, cy"]
    assert [call["argv"] for call in bench.calls] == [
        ["guilds"],
        ["channels", "--guild", guild, "--include-vc", "false", "--include-threads", "all"],
        ["dm"],
    ]


@pytest.mark.contract("R-3.03")
def test_a_failed_listing_is_an_error_and_no_channels(bench: Bench) -> None:
    with pytest.raises(AuthenticationFailed):
        bench.exporter().guilds()


@pytest.mark.contract("R-17.07")
def test_the_version_is_told_and_old_ones_are_warned_about(bench: Bench) -> None:
    assert bench.exporter().version() == "2.46"
    assert version_warning("2.46") is None
    assert "2.31" in (version_warning("2.31") or "")
    assert version_warning("unknown") is not None


@pytest.mark.contract("E-04")
def test_a_missing_cli_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoDceCli, match="/nowhere/cli"):
        find_dce_cli({"DCE_CLI_BIN": "/nowhere/cli", "PATH": str(tmp_path)})
    assert find_dce_cli({"DCE_CLI_BIN": str(STANDIN), "PATH": ""}) == STANDIN
    installed = tmp_path / "DiscordChatExporter.Cli"
    installed.symlink_to(STANDIN)
    assert find_dce_cli({"PATH": str(tmp_path)}) == installed
    assert find_dce_cli({"PATH": str(tmp_path / "empty")}) is None
    with pytest.raises(NoDceCli, match="installed"):
        installed_dce_cli({"PATH": str(tmp_path / "empty")})


@pytest.mark.skipif(
    "DCE_CLI_BIN" not in os.environ, reason="no real DiscordChatExporter.Cli: set DCE_CLI_BIN to one to run this"
)
@pytest.mark.contract("R-17.07")
def test_the_real_program_tells_its_version() -> None:
    launcher = LocalLauncher(binary=installed_dce_cli(os.environ), token=TOKEN)
    exporter = CliExporter(LocalExecutor(os.environ, Masker()), launcher)
    assert version_warning(exporter.version()) is None


@pytest.mark.contract("F-D9")
def test_neither_a_proofs_own_words_nor_a_stack_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    bench = Bench(tmp_path)
    proving = bench.exporter(prove=True, on_line=lambda _, line: told.append(line))
    run(proving, bench.output)
    assert any("Successfully exported" in line for line in told)
    assert not any("does not contain any messages" in line for line in told)
    bench.case("not_found")
    proving = bench.exporter(prove=True, on_line=lambda _, line: told.append(line))
    with pytest.raises(ChannelSkipped):
        run(proving, bench.output)
    assert not any(line.lstrip().startswith("at ") for line in told)
