"""Every command at the top: what an operator wants it for, where it is defined, its line in ``--help``."""

import importlib.util
from dataclasses import dataclass

import click

from dce_play.cli.app.groups import Group

RUNS, PLAYBOOKS, ARCHIVES = "Runs", "Playbooks and targets", "Archives"
SHIPPING, BACKUPS, MACHINE = "Shipping", "Backups", "This machine"


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """Where a command is defined (``module:attribute``), and its line in ``--help``, told without importing it."""

    place: str
    help: str
    section: str = MACHINE


COMMANDS = {
    "run": CommandEntry("dce_play.cli.run.run:command", "Run a playbook", RUNS),
    "resume": CommandEntry("dce_play.cli.run.resume:command", "Continue a run that failed or was killed", RUNS),
    "worker": CommandEntry("dce_play.cli.fan_out.worker:command", "Take items of a Dask cluster on this host", RUNS),
    "runs": CommandEntry("dce_play.cli.run.runs:command", "List, show and prune earlier runs", RUNS),
    "status": CommandEntry("dce_play.cli.status.status:command", "Tell how the targets stand: last night", RUNS),
    "monitoring": CommandEntry("dce_play.cli.host.monitoring:command", "Look at who is told of runs, try it", RUNS),
    "summary": CommandEntry("dce_play.cli.run.summary:command", "Show what scrapes did, from files or a log", RUNS),
    "init": CommandEntry("dce_play.cli.author.init:command", "Start a folder with playbooks and targets", PLAYBOOKS),
    "targets": CommandEntry("dce_play.cli.targets.group:command", "Look at the targets file, add to it", PLAYBOOKS),
    "lint": CommandEntry("dce_play.cli.author.lint:command", "Check playbooks, roles and targets files", PLAYBOOKS),
    "plan": CommandEntry("dce_play.cli.author.plan:command", "Show what a playbook will run, in order", PLAYBOOKS),
    "steps": CommandEntry("dce_play.cli.author.steps:command", "List the step plugins, describe one", PLAYBOOKS),
    "schema": CommandEntry("dce_play.cli.author.schema:command", "Print a JSON Schema", PLAYBOOKS),
    "archive": CommandEntry(
        "dce_play.cli.archive.group:command", "Audit, merge, salvage, read channel files", ARCHIVES
    ),
    "export": CommandEntry("dce_play.cli.archive.export:command", "Export one channel into a file", ARCHIVES),
    "media": CommandEntry("dce_play.cli.media.group:command", "Keep the bytes behind URLs that expire", ARCHIVES),
    "lock": CommandEntry("dce_play.cli.host.lock:command", "Look at the archive root's lock", ARCHIVES),
    "ship": CommandEntry("dce_play.cli.ship.group:command", "Ship episodes from this lab host", SHIPPING),
    "quarantine": CommandEntry("dce_play.cli.ship.group:quarantine_command", "Look at what was refused", SHIPPING),
    "receive": CommandEntry("dce_play.cli.receive.group:command", "Receive episodes, and look after them", SHIPPING),
    "backup": CommandEntry("dce_play.cli.backup.group:command", "Take, verify, drill, restore backups", BACKUPS),
    "auth": CommandEntry("dce_play.cli.host.auth:command", "Find and check the Discord token"),
    "doctor": CommandEntry("dce_play.cli.host.doctor:command", "Tell what is wrong on this machine, and the cure"),
    "service": CommandEntry("dce_play.cli.host.service:command", "Put our services on a machine, as systemd units"),
    "simulate": CommandEntry("dce_play.cli.host.simulate:command", "Serve a Discord on loopback"),
    "completion": CommandEntry("dce_play.cli.app.completion:command", "Print the shell completion script"),
    "version": CommandEntry("dce_play.cli.app.version:command", "Tell versions, for a bug report"),
}


class TopGroup(Group):
    """The commands of ``COMMANDS``, under what an operator wants."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [name for name, entry in COMMANDS.items() if _module_exists(entry)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None or not _module_exists(entry):
            return None
        self.verbs = {cmd_name: entry.place}
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        there = [(name, COMMANDS[name]) for name in self.list_commands(ctx)]
        width = max(len(name) for name, _ in there)
        for section in dict.fromkeys(entry.section for _, entry in there):
            with formatter.section(section):
                formatter.write_dl([(f"{name:<{width}}", each.help) for name, each in there if each.section == section])


def _module_exists(entry: CommandEntry) -> bool:
    return importlib.util.find_spec(entry.place.partition(":")[0]) is not None
