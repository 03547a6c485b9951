"""The container exporter against stand-in engines: arguments, secrets, removal, settings."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dce_play.discord.exporters.container import ContainerLauncher, ContainersUnknown, OutsideMount, leftover_containers
from dce_play.discord.exporters.container_settings import (
    SHIPPED_COMPOSE_FILE,
    BadComposeFile,
    BadSetting,
    ContainerSettings,
    memory_limit,
    settings_from,
)
from dce_play.discord.exporters.dce_cli import CliExporter, LineSink
from dce_play.discord.exporters.engines import Engine, Family
from dce_play.discord.exporters.protocol import (
    ChannelSkipped,
    ExportAborted,
    ExportCancelled,
    ExportOutcome,
    ExportRequest,
)
from dce_play.snowflake import ChannelId
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker
from tests.standins.bench import EngineBench

TOKEN = "marker-token-never-shown"
CHANNEL = ChannelId("796622485192704000")
COMPOSE = Engine(argv=("docker", "compose"), family=Family.DOCKER, compose=True, control=("docker",))
PODMAN = Engine(argv=("podman",), family=Family.PODMAN, compose=False, control=("podman",))


@pytest.fixture
def bench(tmp_path: Path) -> EngineBench:
    return EngineBench(tmp_path, "docker", "podman", containers=("dce-play-aa", "other", "dce-play-bb"))


def export(
    bench: EngineBench,
    engine: Engine = COMPOSE,
    *,
    settings: ContainerSettings | None = None,
    on_line: LineSink | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    announced: list[str] | None = None,
) -> ExportOutcome:
    masker = Masker()

    @contextmanager
    def announce(container: str) -> Iterator[None]:
        if announced is not None:
            announced.append(f"{container} begins")
        try:
            yield
        finally:
            if announced is not None:
                announced.append(f"{container} is gone after {len(bench.calls)} calls")

    launcher = ContainerLauncher(
        control=LocalExecutor(bench.environ, masker),
        engine=engine,
        settings=settings or ContainerSettings(archive_root=bench.root, image="the/image:1", uid=7, gid=8),
        token=TOKEN,
        lock_id="lock-1",
        announce=announce,
    )
    exporter = CliExporter(LocalExecutor(bench.environ, masker), launcher, on_line=on_line)
    request = ExportRequest(channel_id=CHANNEL, output=bench.root / "export.json")
    return exporter.export(request, on_progress=lambda _: None, cancelled=cancelled)


@pytest.mark.contract("R-13.08", "R-13.02", "R-13.01", "H-06", "H-04", "R-17.01")
def test_compose_is_asked_to_run_the_service_once_with_dces_arguments(bench: EngineBench) -> None:
    assert export(bench).message_count == 3
    (run,) = bench.runs
    argv = run["argv"]
    assert argv[:5] == ["compose", "--env-file", run["env_file"], "-f", str(SHIPPED_COMPOSE_FILE)]
    assert argv[5:8] == ["run", "--rm", "--name"]
    assert argv[9:12] == ["--label", "dce-play.lock=lock-1", "discord-scraper"]
    assert argv[12:] == [
        *("export", "--channel", CHANNEL, "--format", "Json"),
        *("--output", str(bench.root / "export.json"), "--utc"),
    ]


@pytest.mark.contract("R-13.02", "H-07")
@pytest.mark.parametrize(("value", "terminal"), [("0", False), ("1", True), (None, True)])
def test_without_a_terminal_compose_gets_t(bench: EngineBench, value: str | None, *, terminal: bool) -> None:
    environ = {} if value is None else {"DCE_COMPOSE_TTY": value}
    export(bench, settings=settings_from(environ, COMPOSE, archive_root=bench.root))
    argv = bench.runs[0]["argv"]
    assert ("-T" in argv) is not terminal
    assert argv[argv.index("run") : argv.index("--rm") + 1] == (["run", "--rm"] if terminal else ["run", "-T", "--rm"])


@pytest.mark.contract("R-13.02", "R-13.04", "R-13.05", "R-13.06", "R-13.10")
def test_a_plain_engine_gets_mount_user_memory_and_env_file(bench: EngineBench) -> None:
    settings = ContainerSettings(
        archive_root=bench.root, image="the/image:1", uid=7, gid=8, memory="8g", userns="keep-id", selinux=True
    )
    export(bench, PODMAN, settings=settings)
    argv = bench.runs[0]["argv"]
    assert argv[:3] == ["run", "--rm", "--name"]
    for option, value in {
        "--user": "7:8",
        "--memory": "8g",
        "--userns": "keep-id",
        "--volume": f"{bench.root}:{bench.root}:z",
    }.items():
        assert argv[argv.index(option) + 1] == value
    assert "-T" not in argv


@pytest.mark.contract("R-13.03", "R-11.08", "H-01")
@pytest.mark.parametrize("engine", [COMPOSE, PODMAN])
def test_the_token_is_in_files_for_us_alone_and_nowhere_else(bench: EngineBench, engine: Engine) -> None:
    export(bench, engine)
    (run,) = bench.runs
    assert run["inner"]["DISCORD_TOKEN"] == TOKEN
    assert run["modes"] == {"scrape.env": "0o600", "token": "0o600"}
    assert TOKEN not in " ".join(run["argv"])
    assert not Path(run["env_file"]).parent.exists()


@pytest.mark.contract("R-13.03", "R-13.09")
@pytest.mark.parametrize(("case", "error"), [("forbidden", ChannelSkipped), ("sigkill", ExportAborted)])
def test_the_files_are_gone_after_a_failure_too(bench: EngineBench, case: str, error: type[Exception]) -> None:
    bench.dce({CHANNEL: {"case": case}})
    with pytest.raises(error):
        export(bench)
    assert not Path(bench.runs[0]["env_file"]).parent.exists()


@pytest.mark.contract("R-13.03", "R-13.07", "R-13.09", "R-3.19", "H-05")
def test_a_stopped_run_shows_lines_as_they_come_and_removes_container_and_files(bench: EngineBench) -> None:
    bench.dce({CHANNEL: {"case": "hangs"}})
    lines: list[str] = []
    announced: list[str] = []
    with pytest.raises(ExportCancelled):
        export(
            bench,
            on_line=lambda _stream, line: lines.append(line),
            cancelled=lambda: any("Exporting 1" in line for line in lines),
            announced=announced,
        )
    name = bench.runs[0]["argv"][bench.runs[0]["argv"].index("--name") + 1]
    assert announced == [f"docker:{name} begins", f"docker:{name} is gone after {len(bench.calls)} calls"]
    assert bench.calls[-1]["argv"] == ["rm", "--force", name]
    assert not Path(bench.runs[0]["env_file"]).parent.exists()


@pytest.mark.contract("R-13.09", "R-3.19")
def test_the_container_is_removed_also_when_the_whole_run_is_being_stopped(bench: EngineBench) -> None:
    bench.dce({CHANNEL: {"case": "hangs"}})
    (bench.root / "export.json").touch()
    started = (bench.root / "export.json").stat().st_mtime_ns
    executor = LocalExecutor(
        bench.environ, Masker(), cancelled=lambda: (bench.root / "export.json").stat().st_mtime_ns != started
    )
    settings = ContainerSettings(archive_root=bench.root, image="the/image:1")
    launcher = ContainerLauncher(control=executor, engine=PODMAN, settings=settings, token=TOKEN)
    request = ExportRequest(channel_id=CHANNEL, output=bench.root / "export.json")
    with pytest.raises(ExportCancelled):
        CliExporter(executor, launcher).export(request, on_progress=lambda _: None, cancelled=lambda: False)
    name = bench.runs[0]["argv"][bench.runs[0]["argv"].index("--name") + 1]
    assert bench.calls[-1]["argv"] == ["rm", "--force", name]


@pytest.mark.contract("R-3.15", "R-13.07")
def test_an_exit_137_of_the_container_is_out_of_memory(bench: EngineBench) -> None:
    bench.dce({CHANNEL: {"case": "sigkill"}})
    with pytest.raises(ExportAborted) as caught:
        export(bench)
    assert caught.value.out_of_memory
    assert (bench.root / "export.json").stat().st_size > 0


@pytest.mark.contract("R-13.01")
@pytest.mark.parametrize("tty", [True, False])
def test_a_refusal_is_read_with_and_without_a_terminal(bench: EngineBench, *, tty: bool) -> None:
    bench.dce({CHANNEL: {"case": "forbidden"}})
    with pytest.raises(ChannelSkipped):
        export(bench, settings=ContainerSettings(archive_root=bench.root, tty=tty))


@pytest.mark.contract("R-13.04", "H-08", "H-09", "H-10")
@pytest.mark.parametrize(
    ("environment", "target", "expected"),
    [("8g", None, "8g"), ("", "4g", "4g"), ("2g", "4g", "2g"), ("0", "4g", "4g"), ("", None, "0"), ("0", None, "0")],
)
def test_the_environments_memory_limit_beats_the_targets(
    bench: EngineBench, environment: str, target: str | None, expected: str
) -> None:
    environ = {"DCE_CONTAINER_MEMORY": environment}
    settings = settings_from(environ, COMPOSE, archive_root=bench.root, target_memory=target)
    export(bench, settings=settings)
    (run,) = bench.runs
    assert run["inner"]["DCE_CONTAINER_MEMORY"] == run["variables"]["DCE_CONTAINER_MEMORY"] == expected


@pytest.mark.contract("R-13.04")
@pytest.mark.parametrize("value", ["8 g", "-1", "08g", "8t", "lots", "8g;reboot", "1.5g"])
def test_a_memory_limit_that_is_no_size_is_refused(value: str) -> None:
    with pytest.raises(BadSetting, match="DCE_CONTAINER_MEMORY"):
        memory_limit({"DCE_CONTAINER_MEMORY": value}, None)
    with pytest.raises(BadSetting, match="container_memory"):
        memory_limit({}, value)


@pytest.mark.parametrize("value", ["1", "8589934592", "8g", "8192m", "8G", "512mb", "10b", "3KB"])
def test_sizes_of_every_spelling_are_memory_limits(value: str) -> None:
    assert memory_limit({"DCE_CONTAINER_MEMORY": value}, None) == value


@pytest.mark.contract("R-13.06")
def test_the_containers_user_is_ours_unless_said_otherwise(tmp_path: Path) -> None:
    settings = settings_from({}, PODMAN, archive_root=tmp_path)
    assert (settings.uid, settings.gid) == (os.getuid(), os.getgid())
    assert settings.userns == ("" if os.geteuid() == 0 else "keep-id")
    chosen = settings_from({"DCE_UID": "12", "DCE_GID": "34", "DCE_USERNS_MODE": "host"}, PODMAN, archive_root=tmp_path)
    assert (chosen.uid, chosen.gid, chosen.userns) == (12, 34, "host")
    assert settings_from({}, COMPOSE, archive_root=tmp_path).userns == ""
    with pytest.raises(BadSetting, match="DCE_UID"):
        settings_from({"DCE_UID": "me"}, PODMAN, archive_root=tmp_path)


@pytest.mark.contract("R-13.12")
def test_a_missing_compose_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadComposeFile, match=r"Missing compose file: /nowhere/compose\.yml"):
        settings_from({"DCE_COMPOSE_FILE": "/nowhere/compose.yml"}, COMPOSE, archive_root=tmp_path)
    settings_from({"DCE_COMPOSE_FILE": "/nowhere/compose.yml"}, PODMAN, archive_root=tmp_path)


@pytest.mark.contract("R-13.05")
def test_a_compose_file_that_does_not_mount_the_archive_root_is_refused(tmp_path: Path) -> None:
    compose = tmp_path / "compose.yml"
    compose.write_text("services: {discord-scraper: {image: x, volumes: ['/other:/other']}}\n")
    with pytest.raises(BadComposeFile) as caught:
        settings_from({"DCE_COMPOSE_FILE": str(compose)}, COMPOSE, archive_root=tmp_path / "archives")
    assert str(compose) in str(caught.value)
    assert str(tmp_path / "archives") in str(caught.value)


@pytest.mark.contract("R-13.05")
def test_an_export_outside_the_mount_is_refused_before_anything_runs(bench: EngineBench, tmp_path: Path) -> None:
    (bench.root / "away").symlink_to(tmp_path)
    (tmp_path / "alias").symlink_to(bench.root)
    launcher = ContainerLauncher(
        control=LocalExecutor(bench.environ, Masker()),
        engine=PODMAN,
        settings=ContainerSettings(archive_root=bench.root),
        token=TOKEN,
    )
    for folder in (tmp_path, bench.root / "away", tmp_path / "alias"):
        output = folder / "export.json"
        with pytest.raises(OutsideMount) as caught:
            launcher.check_output(output)
        assert str(output) in str(caught.value)
        assert str(bench.root) in str(caught.value)


@pytest.mark.contract("R-13.09")
def test_containers_that_a_killed_run_left_are_found(bench: EngineBench) -> None:
    control = LocalExecutor(bench.environ, Masker())
    assert leftover_containers(control, PODMAN) == ["dce-play-aa", "dce-play-bb"]
    broken = Engine(argv=("docker",), family=Family.DOCKER, compose=False, control=("docker", "nonsense"))
    with pytest.raises(ContainersUnknown, match="docker"):
        leftover_containers(LocalExecutor({**bench.environ, "ENGINE_STANDIN": "/nowhere"}, Masker()), broken)
