"""``run --rehearse``: the real playbook over real HTTP, against a simulated Discord, in a throw-away archive root.

It runs twice. Between the two the simulated guilds grow, so that the second pass is an increment, and the signatures
of all media end, so that it shows whether their bytes were kept.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import click

from dce_play.cli.app.find_playbook import find_playbook
from dce_play.cli.run.running import Prepared, RunRequest, apply_command, execute, new_run_id, prepare
from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.worlds import REHEARSAL_GROWTH, rehearsal_world
from dce_play.errors import DcePlayError, ExitCode
from dce_play.playbook.evaluate.reach import reachable_steps
from dce_play.runner.settings import RunOutcome
from dce_play.system.counted import counted

_DEFAULT_TARGETS = ("lab-guild", "workshop")
_PASSED_ON = frozenset(
    {"PATH", "TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR"}
)


class RehearsalRefused(DcePlayError):
    """The playbook would do something that must not happen in a rehearsal."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, steps: tuple[str, ...]) -> None:
        super().__init__(
            f"this playbook cannot be rehearsed: {', '.join(steps)} would reach beyond the throw-away archive root",
            hint="leave these steps out with --skip-tags or a param, or look at it with --dry-run",
        )
        self.steps = steps


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a rehearsal takes place. It stays, for whoever wants to look at it."""

    folder: Path

    @property
    def archives(self) -> Path:
        return self.folder / "archives"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def targets(self) -> Path:
        return self.folder / "scrape-targets.json"


def rehearse(request: RunRequest) -> int:
    """Rehearse the playbook and return the exit code of the first pass that failed, or of the last.

    A dry run plans against the empty archive root, once.
    Raises: RehearsalRefused, and whatever preparing a run raises.
    """
    stage = Stage(Path(tempfile.mkdtemp(prefix="dce-play-rehearsal-")).resolve())
    with running_simulator(rehearsal_world(1), media=True) as simulator:
        _set_stage(stage, request, simulator)
        staged = _staged(request, stage, simulator)
        _check(prepare(staged))
        _tell(f"Rehearsal with a simulated Discord, all in {stage.folder}")
        if request.options.dry_run:
            return execute(staged).exit_code
        first = _pass("First, the archives are new:", replace(staged, brief=True))
        if first.exit_code is not ExitCode.OK:
            return first.exit_code
        simulator.grow(REHEARSAL_GROWTH)
        simulator.expire()
        second = _pass(f"Then the guilds have {REHEARSAL_GROWTH} new messages:", staged)
        _tell_end(second, simulator)
        return second.exit_code


def _pass(title: str, request: RunRequest) -> RunOutcome:
    _tell(title)
    return execute(replace(request, run_id=new_run_id()))


def _set_stage(stage: Stage, request: RunRequest, simulator: Simulator) -> None:
    """Lay out the throw-away root and a targets file with the names asked for, one guild each."""
    (stage.folder / "home").mkdir()
    stage.archives.mkdir()
    guild_ids = list(simulator.world.guilds)
    names = tuple(dict.fromkeys(request.options.targets)) or _DEFAULT_TARGETS
    targets = [
        {
            "name": name,
            "output_dir": str(stage.archives / f"target-{number + 1}"),
            "guild_ids": [guild_ids[number % len(guild_ids)]],
            "include_voice_channels": True,
        }
        for number, name in enumerate(names)
    ]
    stage.targets.write_text(
        json.dumps({"archive_root": str(stage.archives), "targets": targets}, indent=2), encoding="utf-8"
    )


def _staged(request: RunRequest, stage: Stage, simulator: Simulator) -> RunRequest:
    return replace(
        request,
        playbook=str(find_playbook(request.playbook, request.folder)),
        folder=stage.folder,
        environment=_environment(request.environment, stage, simulator),
        options=replace(request.options, config=stage.targets, state_dir=stage.state),
        staged=True,
        next_command=apply_command(request),  # what was staged here is gone with the simulator
    )


def _environment(given: Mapping[str, str], stage: Stage, simulator: Simulator) -> dict[str, str]:
    """Return an environment without anything of the operator's own: no token, no paths, no lock."""
    passed = {name: value for name, value in given.items() if name in _PASSED_ON}
    return passed | {
        "HOME": str(stage.folder / "home"),
        "DISCORD_TOKEN": simulator.token,
        "DCE_DISCORD_API_BASE": simulator.base_url,
        "DCE_DISCORD_CDN_BASE": simulator.cdn_base,
        "DCE_MIN_FREE_MB": "64",
        "DCE_PLAY_STATE_DIR": str(stage.state),
    }


def _check(prepared: Prepared) -> None:
    params = {"params": dict(prepared.settings.params)}
    refused = {step.step for step in reachable_steps(prepared.plan, params) if not step.plugin.REHEARSABLE}
    if refused:
        raise RehearsalRefused(tuple(sorted(refused)))


def _tell_end(second: RunOutcome, simulator: Simulator) -> None:
    verdict = "passed" if second.exit_code is ExitCode.OK else "FAILED"
    asked = counted(len(simulator.requests), "request")
    _tell(f"Rehearsal {verdict}: two runs, {asked} over real HTTP, nobody else was asked.")
    _tell("next  dce-play targets add NAME --archive-root FOLDER --guild ID")
    _tell("then  dce-play auth set")


def _tell(line: str) -> None:
    click.echo(line, err=True)
