"""``dce-play backup prune``: plan which backups may go; with ``--apply`` and a person's word remove exactly those."""

from typing import Any

import click

from dce_play.backup.keep.prune import apply_prune, plan_prune, total_bytes
from dce_play.cli.app.verb import DURATION
from dce_play.cli.backup.asking import ask_for_person, confirm, plan_lines, removed_by, rules_of
from dce_play.cli.backup.doors import services_of
from dce_play.cli.backup.office import Answer, Office, Verb, common_options
from dce_play.errors import ExitCode
from dce_play.system.counted import counted


@click.command("prune", cls=Verb)
@click.argument("modules_named", metavar="[MODULE...]", nargs=-1)
@click.option("--keep-last", type=click.IntRange(1), help="So many good ones; default: the definition's, else 3.")
@click.option("--keep-within", type=DURATION, metavar="TIME", help="And all that are younger, such as 30d.")
@click.option("--apply", is_flag=True, help="Remove what the plan says. Without this nothing goes.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--remote", is_flag=True, help="At the targets instead of here.")
@click.option("--detailed-exitcode", is_flag=True, help="Without --apply: exit 10 when something would go.")
@common_options
def prune(modules_named: tuple[str, ...], **options: Any) -> int:
    """Show which backups need not be kept; with --apply remove them. The newest good one always stays.

    \b
    Example:
      dce-play backup prune uptime-kuma --keep-last 5

    Exit codes: 0 planned or removed; 1 failed, nothing went; 5 no such module; 10 something would go, with
    --detailed-exitcode; 75 somebody works on it; 77 nobody is there to ask.
    """
    office = Office("prune", options)
    if options["remote"]:
        from dce_play.cli.backup.remote import prune_remote  # the targets' library, only when they are asked

        return office.answer(lambda: prune_remote(office, modules_named, options), watched=options["apply"])
    return office.answer(lambda: _act(office, modules_named, options), watched=options["apply"])


def _act(office: Office, names: tuple[str, ...], options: dict[str, Any]) -> Answer:
    if options["apply"] and not options["yes"]:
        ask_for_person("pruning")
    catalog = office.desk.catalog()
    chosen = office.desk.known(names, catalog)
    rules = {name: rules_of(office, name, options) for name in chosen}
    plans = {name: plan_prune(name, catalog, rules[name], now=office.desk.now) for name in chosen}
    keep = [each for plan in plans.values() for each in plan.keep]
    remove = [each for plan in plans.values() for each in plan.remove]
    facts: dict[str, Any] = {"keep": keep, "remove": remove, "removed": [], "applied": False}
    lines = plan_lines(keep, remove)
    if not options["apply"]:
        code = ExitCode.CHANGES_PENDING if remove and options["detailed_exitcode"] else ExitCode.OK
        return Answer(facts=facts, lines=lines, code=code)
    if remove and not options["yes"]:
        size = total_bytes(catalog, [each.file for each in remove])
        confirm(office, lines, f"Remove {counted(len(remove), 'backup')}, {counted(size, 'byte')}?")
        lines = []  # who was asked has read them
    removed, error = removed_by(
        plans, lambda name: apply_prune(name, plans[name], rules[name], office.desk.root, services_of(office))
    )
    facts |= {"removed": removed, "applied": error is None}
    return Answer(facts=facts, lines=[*lines, *(f"removed {file}" for file in removed)], error=error)
