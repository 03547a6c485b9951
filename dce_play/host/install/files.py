"""The files that an installation wants to see on the machine, and what writing them would change."""

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.host.install.request import CONFIG_NAMES, ETC, STATE, UNITS, Request, Role
from dce_play.host.systemd_units import Service, Timer, service_text, timer_text
from dce_play.system.durable.whole_files import write_atomic

DOCUMENTATION = "file:///usr/share/doc/dce-play"
_DEFAULT_PLAYBOOK = "proof"


class Action(StrEnum):
    """What becomes of a file."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    """The operator's own: it was there and is never overwritten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One file, by its path on the machine."""

    path: Path
    text: str
    mode: int
    keep: bool = False
    """It is written once; afterwards it is the operator's."""
    group: str = ""
    """The group that may read it; root's own where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A wanted file, where it goes, and what would become of it."""

    wanted: Wanted
    target: Path
    action: Action
    diff: str


def wanted_files(
    request: Request, *, templates: Mapping[Role, str], folders: Mapping[Role, tuple[Path, ...]]
) -> Iterator[Wanted]:
    """Yield the files of all roles, each once.

    ``templates`` has the example of each configuration; ``folders`` what the configuration of a role writes to, of
    roles that are installed already too.

    Raises: InvalidUnit.
    """
    for role in request.roles:
        name = request.unit(role)
        yield Wanted(path=UNITS / f"{name}.service", text=service_text(_service(request, role, folders)), mode=0o644)
        if role is Role.SCHEDULE:
            timer = Timer(description=f"When {name} runs", on_calendar=request.on_calendar)
            yield Wanted(path=UNITS / f"{name}.timer", text=timer_text(timer), mode=0o644)
        if role in CONFIG_NAMES:
            config = ETC / CONFIG_NAMES[role]
            yield Wanted(path=config, text=templates[role], mode=0o640, keep=True, group=request.user)
            yield Wanted(path=config.with_name(f"{config.name}.example"), text=templates[role], mode=0o644)
    yield Wanted(path=Path("/etc/sysusers.d/dce-play.conf"), text=_sysusers(request), mode=0o644)
    yield Wanted(path=Path("/etc/tmpfiles.d/dce-play.conf"), text=_tmpfiles(request, folders), mode=0o644)


def planned(wanted: Wanted, request: Request) -> Planned:
    """Return what writing a file would do. Reads it, writes nothing."""
    target = request.below(wanted.path)
    try:
        before = target.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return Planned(wanted=wanted, target=target, action=Action.CREATED, diff=_diff("", wanted))
    if wanted.keep:
        return Planned(wanted=wanted, target=target, action=Action.KEPT, diff="")
    same = before == wanted.text and (target.stat().st_mode & 0o7777) == wanted.mode
    action = Action.UNCHANGED if same else Action.UPDATED
    return Planned(wanted=wanted, target=target, action=action, diff=_diff(before, wanted))


def write(plan: Planned) -> None:
    """Write a file that is to be created or updated; leave any other alone."""
    if plan.action in {Action.CREATED, Action.UPDATED}:
        plan.target.parent.mkdir(parents=True, exist_ok=True)
        data = plan.wanted.text.encode("utf-8", "surrogateescape")
        write_atomic(plan.target, data, mode=plan.wanted.mode)


def _diff(before: str, wanted: Wanted) -> str:
    name = os.fspath(wanted.path)
    return "\n".join(difflib.unified_diff(before.splitlines(), wanted.text.splitlines(), name, name, lineterm=""))


def _service(request: Request, role: Role, folders: Mapping[Role, tuple[Path, ...]]) -> Service:
    writable = _outermost(folders.get(role) or (STATE,))
    match role:
        case Role.SHIPPER:
            return Service(
                description="dce-play shipper: brings this host's episodes to the receiver",
                argv=(request.program, "ship", "run"),
                user=request.user,
                writable=writable,
                documentation=DOCUMENTATION,
            )
        case Role.RECEIVER:
            return Service(
                description="dce-play receiver: stores what lab hosts ship",
                argv=(request.program, "receive", "run"),
                user=request.user,
                writable=writable,
                documentation=DOCUMENTATION,
            )
        case Role.SCHEDULE:
            playbook = request.playbook or _DEFAULT_PLAYBOOK
            folder = request.folder or STATE
            places = (*writable, folder, *((request.archive_root,) if request.archive_root else ()))
            return Service(
                description=f"dce-play run {playbook}",
                argv=(request.program, "run", playbook, "-q"),
                user=request.user,
                folder=folder,
                writable=_outermost(tuple(dict.fromkeys(places))),
                notify=False,
                documentation=DOCUMENTATION,
            )
        case Role.ORCHESTRATOR:
            return Service(
                description="The operator's own program, which makes this host's episodes",
                argv=request.exec_argv,
                user=request.user,
                writable=writable,
                notify=False,
                documentation=DOCUMENTATION,
            )


def _sysusers(request: Request) -> str:
    return (
        "# dce-play: the user that all its services run as. One for all roles, since renaming another user's\n"
        "# folder is refused.\n"
        f'u {request.user} - "dce-play services" {STATE}\n'
    )


def _tmpfiles(request: Request, folders: Mapping[Role, tuple[Path, ...]]) -> str:
    owned = dict.fromkeys((STATE, *(folder for role in Role for folder in folders.get(role, ()))))
    lines = [f"d {path} 0750 {request.user} {request.user} -" for path in owned]
    return "\n".join(
        ("# dce-play: its folders, with their owners and modes.", *lines, f"d {ETC} 0750 root {request.user} -", "")
    )


def _outermost(places: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the folders without those that lie in another of them."""
    return tuple(
        place for place in places if not any(place != other and place.is_relative_to(other) for other in places)
    )
