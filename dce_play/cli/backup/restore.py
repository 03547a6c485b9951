"""``dce-play backup restore``: a plan to read, and only with ``--apply`` and a person's word a restore."""

import os
import shlex
from pathlib import Path
from typing import Any

import click

from dce_play import __version__
from dce_play.backup.attended import admit, decide, look
from dce_play.backup.definitions.model import Module, ModuleKeys, secret_variables
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import REFUSE, PlanItem
from dce_play.backup.manifest import OperatorRecord
from dce_play.backup.restore.into import check_empty
from dce_play.backup.restore.restore import RestoreRun
from dce_play.backup.store.catalog import Entry
from dce_play.backup.take.options import TakeOptions
from dce_play.cli.backup.doors import services_of
from dce_play.cli.backup.office import Answer, Office, Verb, common_options


@click.command("restore", cls=Verb)
@click.argument("backup", metavar="BACKUP")
@click.option("--to", metavar="MODULE", help="Another module of the same engine; default: the one it was taken of.")
@click.option("--into", type=click.Path(path_type=Path), help="An empty or new folder instead (files, compose, redis).")
@click.option("--apply", is_flag=True, help="Do it. Without this the plan is printed, and nothing is touched.")
@click.option("--confirm", metavar="NAME", help="The module's name, typed here instead of at the question.")
@click.option("--identity", metavar="REF", help="The key of an encrypted one: env:NAME, file:PATH or keyring:NAME.")
@click.option("--no-safety-backup", is_flag=True, help="Do not take a backup of what is there first.")
@common_options
def restore(backup: str, **options: Any) -> int:
    """Show what restoring BACKUP would do; with --apply do it, after the module's name was typed.

    What is replaced is put aside, never removed. No service is restarted.

    \b
    Example:
      dce-play backup restore uptime-kuma@latest

    Exit codes: 0 planned or restored; 1 failed; 2 another name was typed; 4 refused before anything was touched;
    5 no such backup; 7 the service does not accept our password; 75 somebody works on it; 77 nobody is there.
    """
    office = Office("restore", options)
    return office.answer(lambda: _act(office, backup, options))


def _act(office: Office, backup: str, options: dict[str, Any]) -> Answer:
    entry = office.desk.entry(backup)
    name = options["to"] or entry.manifest.module
    into = Path.cwd() / options["into"] if options["into"] else None
    if options["confirm"] is not None and options["confirm"] != name:
        raise BackupError(ErrorId.USAGE, f"--confirm says {options['confirm']}, and the module is {name}")
    operator = _operator(options) if options["apply"] else None
    if into is not None:
        check_empty(into)
    module = _module(office, entry, name, wanted=into is None or options["to"] is not None)
    office.hide(secret_variables(module.keys))
    run = RestoreRun(entry, module, services_of(office), office.desk.root, into=into, identity=options["identity"])
    plan = run.plan(safety=not options["no_safety_backup"])
    if operator is None:
        is_refused = any(item.what == REFUSE for item in plan)
        way = "--apply would be refused" if is_refused else f"to do it: {_command(backup, options)}"
        lines = [*_lines(plan), f"nothing was touched; {way}"]
        return Answer(facts={"plan": plan, "applied": False, "safety_backup": None}, lines=lines)
    if options["confirm"] is None:
        for line in _lines(plan):
            office.say(line)
        typed = click.prompt(f"Type the module's name ({name}) to restore it", default="", show_default=False, err=True)
        if typed != name:
            raise BackupError(ErrorId.USAGE, f"{typed!r} is not {name}: nothing was touched")
    wanted = TakeOptions(operator=operator, tool_version=__version__)
    safety = run.apply(wanted, safety=not options["no_safety_backup"], replace=options["confirm"] is not None)
    told = _lines(plan) if options["confirm"] is not None else []  # who was asked has read the plan
    done = [*told, f"restored {entry.file}" + (f"; what was there is in {safety}" if safety else "")]
    return Answer(facts={"plan": plan, "applied": True, "safety_backup": safety}, lines=done)


def _module(office: Office, entry: Entry, name: str, *, wanted: bool) -> Module:
    """Return the module; into a folder a backup may go of which nobody has a definition, or one of another engine."""
    found = office.desk.definitions.named(name)
    manifest = entry.manifest
    if not wanted and (found is None or found.engine != manifest.engine.name):
        return Module(
            keys=ModuleKeys(name=name),
            class_name=manifest.class_name,
            engine=manifest.engine.name,
            source="",
            folder=Path.cwd(),
        )
    if found is None and name == manifest.module:
        hint = f"say where it goes: --to another module of the engine {manifest.engine.name}, or --into a folder"
        raise BackupError(ErrorId.NOT_FOUND, f'no module "{name}" is defined any more', hint=hint)
    return office.desk.module(name)


def _command(backup: str, options: dict[str, Any]) -> str:
    """Return the command that does what the plan says: with all that it was planned with."""
    said = [f"--{name} {shlex.quote(str(options[name]))}" for name in ("to", "into", "identity") if options[name]]
    said += ["--no-safety-backup"] if options["no_safety_backup"] else []
    return " ".join(["dce-play backup restore", shlex.quote(backup), *said, "--apply"])


def _operator(options: dict[str, Any]) -> OperatorRecord:
    seen = look(os.environ)
    if not decide(seen).attended and options["confirm"] is None:
        answer = decide(seen)
        raise BackupError(
            ErrorId.UNATTENDED,
            f"restoring needs a person: {answer.reason}",
            hint=f"{answer.way_out}, or type the module's name with --confirm",
        )
    return admit(seen, allow_unattended=True, what="restoring")


def _lines(plan: tuple[PlanItem, ...]) -> list[str]:
    return [f"{item.what}: {item.detail}" for item in plan]
