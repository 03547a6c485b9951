"""The container exporter with real podman and runc: mounts, ownership, memory, removal, secrets.

Everything podman keeps lies in the test's own folder; nothing is pulled. The image is made of busybox.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from dce_play.discord.exporters.container import ContainerLauncher, leftover_containers
from dce_play.discord.exporters.container_settings import ContainerSettings, settings_from
from dce_play.discord.exporters.dce_cli import CliExporter, Limits
from dce_play.discord.exporters.engines import Engine, Family, detect_engine
from dce_play.discord.exporters.protocol import (
    AuthenticationFailed,
    ChannelSkipped,
    ExportAborted,
    ExportCancelled,
    ExportOutcome,
    ExportProgress,
    ExportRequest,
)
from dce_play.snowflake import ChannelId
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker
from tests.support.podman import empty_podman, image

pytestmark = [pytest.mark.slow, pytest.mark.root]

TOKEN = "marker-token-never-shown"
IMAGE = "localhost/dce-standin:latest"
STANDIN = Path(__file__).parents[1] / "standins" / "dce_cli_busybox.sh"
GOOD, HUNGRY, ENDLESS, FORBIDDEN = (ChannelId(f"79662248519270400{digit}") for digit in (1, 2, 3, 4))
PODMAN = Engine(argv=("podman",), family=Family.PODMAN, compose=False, control=("podman",))


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Give the environment of a podman of the tests' own, with the stand-in's image in it."""
    folder = tmp_path_factory.mktemp("podman")
    with empty_podman(folder) as podman:
        applets = ("sh", "cat", "echo", "printf", "sleep", "tail")
        archive = image(folder, (), applets, {"opt/app/DiscordChatExporter.Cli": STANDIN})
        entry = 'ENTRYPOINT ["/opt/app/DiscordChatExporter.Cli"]'
        podman.run("import", "--change", entry, str(archive), IMAGE)
        yield {**podman.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture
def compose(environ: Mapping[str, str]) -> Engine:
    if shutil.which("podman-compose", path=environ["PATH"]) is None:
        text = "no podman-compose: pip install podman-compose"
        assert os.environ.get("CI") != "true", text
        pytest.skip(text)
    return Engine(argv=("podman-compose",), family=Family.PODMAN, compose=True, control=("podman",))


@pytest.fixture(params=["podman", "podman-compose"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "podman":
        return PODMAN
    found = request.getfixturevalue("compose")
    assert isinstance(found, Engine)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "archives with space"
    root.mkdir()
    return root


def exporter(environ: Mapping[str, str], engine: Engine, root: Path, *, token: str = TOKEN, **more: str) -> CliExporter:
    chosen = {"DCE_CONTAINER_IMAGE": IMAGE, "DCE_COMPOSE_TTY": "0", **more}
    settings: ContainerSettings = settings_from(chosen, engine, archive_root=root)
    masker = Masker()
    launcher = ContainerLauncher(
        control=LocalExecutor(environ, masker), engine=engine, settings=settings, token=token, lock_id="lock-1"
    )
    return CliExporter(LocalExecutor(environ, masker), launcher, limits=Limits(export_s=60.0, other_s=60.0))


def export(
    through: CliExporter,
    root: Path,
    channel: ChannelId,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[ExportProgress], None] = lambda _: None,
) -> ExportOutcome:
    request = ExportRequest(channel_id=channel, output=root / "export.json")
    return through.export(request, on_progress=progress, cancelled=cancelled)


@pytest.mark.contract("R-13.01", "R-13.05", "R-13.06")
def test_an_export_is_where_we_asked_for_it_and_ours(environ: Mapping[str, str], engine: Engine, root: Path) -> None:
    outcome = export(exporter(environ, engine, root), root, GOOD)
    assert (outcome.message_count, outcome.last_id) == (1, "1")
    owner = (root / "export.json").stat()
    assert (owner.st_uid, owner.st_gid) == (os.getuid(), os.getgid())


@pytest.mark.contract("R-13.06")
def test_the_files_belong_to_the_user_that_was_asked_for(
    environ: Mapping[str, str], root: Path, tmp_path: Path
) -> None:
    os.chown(root, 4242, 4343)
    export(exporter(environ, PODMAN, root, DCE_UID="4242", DCE_GID="4343"), root, GOOD)
    owner = (root / "export.json").stat()
    assert (owner.st_uid, owner.st_gid) == (4242, 4343)


@pytest.mark.contract("R-13.07", "R-3.16")
def test_a_refusal_comes_through_with_its_reason(environ: Mapping[str, str], engine: Engine, root: Path) -> None:
    with pytest.raises(ChannelSkipped):
        export(exporter(environ, engine, root), root, FORBIDDEN)
    with pytest.raises(AuthenticationFailed):
        export(exporter(environ, engine, root, token="another-token"), root, GOOD)


@pytest.mark.contract("R-13.07", "H-06")
def test_with_a_terminal_both_streams_come_as_one_and_are_still_understood(
    environ: Mapping[str, str], compose: Engine, root: Path
) -> None:
    through = exporter(environ, compose, root, DCE_COMPOSE_TTY="1")
    assert export(through, root, GOOD).message_count == 1
    with pytest.raises(ChannelSkipped):
        export(through, root, FORBIDDEN)


@pytest.mark.contract("R-13.04", "R-3.15")
def test_a_container_over_its_memory_limit_is_out_of_memory_and_keeps_its_partial(
    environ: Mapping[str, str], engine: Engine, root: Path
) -> None:
    with pytest.raises(ExportAborted) as caught:
        export(exporter(environ, engine, root, DCE_CONTAINER_MEMORY="32m"), root, HUNGRY)
    assert caught.value.exit_code_seen == 137
    assert caught.value.out_of_memory
    assert (root / "export.json").stat().st_size > 0
    assert leftover_containers(LocalExecutor(environ, Masker()), engine) == []
    assert not Path("oom").exists()


@pytest.mark.contract("R-13.03", "R-13.07", "R-13.09", "R-11.08", "R-3.23")
def test_a_stopped_container_is_removed_and_showed_its_token_to_nobody(
    environ: Mapping[str, str], engine: Engine, root: Path
) -> None:
    seen: list[ExportProgress] = []
    shown: set[str] = set()

    def cancelled() -> bool:
        shown.update(arguments for arguments in running_arguments() if TOKEN in arguments)
        return bool(seen)

    control = LocalExecutor(environ, Masker())
    with pytest.raises(ExportCancelled):
        export(exporter(environ, engine, root), root, ENDLESS, cancelled=cancelled, progress=seen.append)
    assert shown == set()
    assert leftover_containers(control, engine) == []
    size = (root / "export.json").stat().st_size
    assert size > 0


def running_arguments() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


@pytest.mark.contract("R-3.20")
def test_version_and_probe_leave_nothing_behind(environ: Mapping[str, str], engine: Engine, root: Path) -> None:
    through = exporter(environ, engine, root)
    assert through.version() == "2.46"
    through.probe(GOOD, None)
    assert list(root.iterdir()) == []


@pytest.mark.contract("R-13.09")
def test_a_container_that_was_left_behind_is_found(environ: Mapping[str, str], root: Path) -> None:
    control = LocalExecutor(environ, Masker())
    argv = ["podman", "run", "--detach", "--name", "dce-play-left", "--entrypoint", "/bin/sleep", IMAGE, "60"]
    subprocess.run(argv, env=environ, check=True, capture_output=True)
    assert leftover_containers(control, PODMAN) == ["dce-play-left"]
    subprocess.run(["podman", "rm", "--force", "dce-play-left"], env=environ, check=True, capture_output=True)
    assert leftover_containers(control, PODMAN) == []


@pytest.mark.contract("R-9.04")
def test_detection_finds_what_really_answers(environ: Mapping[str, str], compose: Engine, tmp_path: Path) -> None:
    only = tmp_path / "bin"
    only.mkdir()
    for name in ("podman", "podman-compose"):
        found = shutil.which(name, path=environ["PATH"])
        assert found is not None
        (only / name).symlink_to(found)
    few = {**environ, "PATH": str(only)}
    control = LocalExecutor({**few, "PATH": f"{only}:{environ['PATH']}"}, Masker())
    assert detect_engine(control, few) == compose
    (only / "podman-compose").unlink()
    assert detect_engine(control, few) == PODMAN
