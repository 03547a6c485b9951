"""One installation from its request to what came of it."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dce_play.host.install.files import Action, Planned, planned, wanted_files, write
from dce_play.host.install.machine import (
    build_environment,
    make_user_and_folders,
    restart_enabled,
    set_ownership,
)
from dce_play.host.install.prerequisites import check_prerequisites
from dce_play.host.install.request import CONFIG_NAMES, ETC, Request, Role
from dce_play.host.install.source import sync
from dce_play.system.process.executor import Executor


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an installation goes about it."""

    dry_run: bool
    venv: bool
    systemctl: str | None
    """The program that restarts units; ``None`` where none may be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What an installation did, or in a dry run would do."""

    files: tuple[tuple[Path, Action], ...]
    diffs: tuple[str, ...]
    restarted: tuple[str, ...]
    drained: dict[str, Any] | None
    next: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything was not as it should be."""
        return any(action in {Action.CREATED, Action.UPDATED} for _, action in self.files)


def install(
    request: Request,
    options: Options,
    *,
    templates: Mapping[Role, str],
    folders: Mapping[Role, tuple[Path, ...]],
    environment: Mapping[str, str],
    executor: Executor,
    drain: Callable[[], dict[str, Any] | None],
) -> Installed:
    """Bring a machine, or the folder that stands for one, to what the request wants. A second time changes nothing.

    ``drain`` is called last, for the shipper's role, and returns what it moved.

    Raises: CannotInstall, before anything was changed; InstallFailed; InvalidUnit; OSError.
    """
    python = Path(sys.executable)
    check_prerequisites(request, environment=environment, python=python)
    plans = [planned(wanted, request) for wanted in wanted_files(request, templates=templates, folders=folders)]
    files = [(plan.target, plan.action) for plan in plans]
    if request.source is not None:
        prefix = request.below(request.prefix)
        files.insert(0, (prefix, sync(request.source, prefix, dry_run=options.dry_run)))
    restarted: list[str] = []
    drained = None
    if not options.dry_run:
        for plan in plans:
            write(plan)
        _bring_about(request, options, executor, python)
        if options.systemctl is not None:
            restarted = restart_enabled(request, executor, systemctl=options.systemctl)
        if Role.SHIPPER in request.roles:
            drained = drain()
    return Installed(
        files=tuple(files),
        diffs=tuple(plan.diff for plan in plans if plan.diff),
        restarted=tuple(restarted),
        drained=drained,
        next=tuple(_next(request, plans, restarted)),
    )


def _bring_about(request: Request, options: Options, executor: Executor, python: Path) -> None:
    if request.destdir is None:
        make_user_and_folders(executor)
    if request.source is not None and options.venv:
        build_environment(request, executor, python=python)
    if request.destdir is None:
        set_ownership(request)


def _next(request: Request, plans: list[Planned], restarted: list[str]) -> list[str]:
    """Return what to type now: what is to be edited, then what is to be started."""
    commands = []
    for role in request.roles:
        if role not in CONFIG_NAMES:
            continue
        config = ETC / CONFIG_NAMES[role]
        if any(plan.wanted.path == config and plan.action is Action.CREATED for plan in plans):
            commands.append(f"sudoedit {config}")
        command = "ship ping" if role is Role.SHIPPER else "receive status"
        commands.append(f"sudo -u {request.user} {request.program} {command}")
    for role in request.roles:
        unit = f"{request.unit(role)}.{'timer' if role is Role.SCHEDULE else 'service'}"
        if unit not in restarted and role is not Role.ORCHESTRATOR:
            commands.append(f"sudo systemctl enable --now {unit}")
    return commands
