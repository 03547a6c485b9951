"""Programs that are asked something and never answer: nobody waits for them longer than is said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dce_play.discord.exporters.container import leftover_containers
from dce_play.discord.exporters.engines import Engine, Family, detect_engine
from dce_play.discord.targets.model import Target, TargetsFile
from dce_play.errors import DcePlayError
from dce_play.history.timers import read_timers
from dce_play.host import systemd_schedule
from dce_play.host.cron_table import crontab_to_change, read_crontab, write_crontab
from dce_play.host.systemd_schedule import check_running, verify
from dce_play.plugin import Selection
from dce_play.snowflake import GuildId
from dce_play.steps.host import schedule_systemd
from dce_play.system.process.containers import container_runs
from dce_play.system.process.executor import Executor, LocalExecutor
from dce_play.system.redact import Masker
from tests.support.bounds import lower
from tests.support.fakes import make_context

PODMAN = Engine(argv=("podman",), family=Family.PODMAN, compose=False, control=("podman",))
HANGS = "#!/bin/sh\nexec sleep 1000\n"


@dataclass(frozen=True, slots=True)
class Asking:
    """What asks a program."""

    executor: Executor
    environment: Mapping[str, str]
    folder: Path


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    for name in ("podman", "crontab", "systemctl", "systemd-analyze"):
        (tmp_path / "bin" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(HANGS)
        (tmp_path / "bin" / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    folder = tmp_path / "folder"
    folder.mkdir()
    return Asking(LocalExecutor(environment, Masker()), environment, folder)


CRON, SYSTEMD = "host.cron_table:_TIMEOUT_S", "host.systemd_schedule:_TIMEOUT_S"
UNIT = {"a.timer": "[Timer]\nOnCalendar=daily\n"}


@pytest.mark.parametrize(
    ("bound", "ask", "argv"),
    [
        ("discord.exporters.container:_CONTROL_TIMEOUT_S", lambda a: leftover_containers(a.executor, PODMAN), "podman"),
        (CRON, lambda a: read_crontab("crontab", a.executor), "crontab -l"),
        (CRON, lambda a: crontab_to_change("crontab", a.executor, a.folder), "crontab -l"),
        (CRON, lambda a: write_crontab("crontab", a.executor, "text\n", a.folder), "crontab crontab.new"),
        (SYSTEMD, lambda a: check_running(a.environment, a.executor), "systemctl"),
        (
            SYSTEMD,
            lambda a: verify(UNIT, scratch=a.folder, environment=a.environment, executor=a.executor),
            "systemd-analyze calendar -- daily",
        ),
        (SYSTEMD, lambda a: verify({}, scratch=a.folder, environment=a.environment, executor=a.executor), "verify"),
    ],
)
def test_a_program_that_does_not_answer_is_ended_and_named(
    monkeypatch: pytest.MonkeyPatch, asking: Asking, bound: str, ask: Callable[[Asking], object], argv: str
) -> None:
    lower(monkeypatch, bound, 0.2)
    with pytest.raises(DcePlayError, match=rf"^{argv.split(maxsplit=1)[0]}|^systemd.* was ended after 0.2 s$") as ended:
        ask(asking)
    assert ended.value.hint.startswith("see what it waits for: ")
    assert argv in ended.value.hint
    assert [path for path in asking.folder.iterdir() if path.is_file()] == []


def test_an_engine_that_does_not_answer_is_none(monkeypatch: pytest.MonkeyPatch, asking: Asking) -> None:
    lower(monkeypatch, "discord.exporters.engines:_ASK_TIMEOUT_S", 0.2)
    with pytest.raises(DcePlayError) as refused:
        detect_engine(asking.executor, {"PATH": str(asking.folder.parent / "bin")})
    assert refused.value.hint == "Install Docker or Podman with compose support."


def test_a_container_whose_engine_does_not_answer_may_run(monkeypatch: pytest.MonkeyPatch, asking: Asking) -> None:
    lower(monkeypatch, "system.process.containers:_PATIENCE_S", 0.2)
    assert container_runs(asking.executor)("podman:up") is None


def test_a_timer_that_nobody_can_work_out_is_not_told(monkeypatch: pytest.MonkeyPatch, asking: Asking) -> None:
    lower(monkeypatch, "history.timers:_TIMEOUT_S", 0.2)
    wants = asking.folder / "timers.target.wants"
    wants.mkdir()
    timer, service = asking.folder / "night.timer", asking.folder / "night.service"
    timer.write_text("[Timer]\nOnCalendar=daily\n")
    service.write_text(f"[Service]\nWorkingDirectory={asking.folder}\nExecStart=dce-play run a\n")
    (wants / "night.timer").symlink_to(timer)

    def told() -> list[str]:
        found = read_timers(
            asking.folder, asking.executor, folder=asking.folder, now=datetime(2026, 11, 28, tzinfo=UTC)
        )
        return [each.name for each in found]

    assert told() == []
    answer = "(in UTC): Sun 2026-11-29 00:00:00 UTC\\n  (in UTC): Mon 2026-11-30 00:00:00 UTC"
    (asking.folder.parent / "bin" / "systemd-analyze").write_text(f"#!/bin/sh\nprintf '{answer}\\n'\n")
    assert told() == ["night"]


def test_a_systemd_that_is_told_of_units_and_hangs_is_named(monkeypatch: pytest.MonkeyPatch, asking: Asking) -> None:
    lower(monkeypatch, "steps.host.schedule_systemd:_TIMEOUT_S", 0.2)
    programs = asking.folder.parent / "bin"
    (programs / "systemctl").write_text(
        '#!/bin/sh\ncase "$*" in *is-system*) echo running;; *) exec sleep 1000;; esac\n'
    )
    (programs / "systemd-analyze").unlink()
    monkeypatch.setattr(systemd_schedule, "is_system", lambda: False)  # never the units of this machine
    environment = dict(asking.environment) | {"XDG_CONFIG_HOME": str(asking.folder / "config"), "HOME": "/nowhere"}
    context, _ = make_context(asking.folder, environment=environment)
    target = Target(name="lab", output_dir=asking.folder / "archive" / "lab", guild_ids=(GuildId("1"),))
    targets = TargetsFile(
        path=asking.folder / "t.yml", sha256="0" * 64, archive_root=asking.folder / "archive", targets=(target,)
    )
    context = replace(context, targets=targets, selection=Selection(targets=("lab",)))
    with pytest.raises(DcePlayError, match=r"^systemctl was ended after 0.2 s$") as ended:
        schedule_systemd.apply(schedule_systemd.Params(job_name="night"), context)
    assert ended.value.hint == "see what it waits for: systemctl --user daemon-reload"
    written = {path.name for path in (asking.folder / "config" / "systemd" / "user").iterdir()}
    assert {"night.service", "night.timer"} <= written
