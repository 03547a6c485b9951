"""``dce-play backup run``: take a backup of one module, or of several, one after the other or side by side."""

import os
from typing import Any

import click

from dce_play import __version__
from dce_play.backup.attended import admit, look
from dce_play.backup.definitions.model import Module, secret_variables
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.registry import engine_named
from dce_play.backup.service.services import LocalServices
from dce_play.backup.take.options import Planned, TakeOptions
from dce_play.backup.take.take import TakeRun
from dce_play.cli.backup.doors import services_of
from dce_play.cli.backup.office import Answer, Office, Verb, common_options, split_words
from dce_play.cli.backup.several import FailedRow, Outcome, failed_row, take_all
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.counted import counted
from dce_play.system.quantities import show_duration


@click.command("run", cls=Verb)
@click.argument("modules_named", metavar="MODULE...", nargs=-1)
@click.option("--all", "all_of_them", is_flag=True, help="All active modules of the classes E, F and G.")
@click.option("--class", "only", multiple=True, callback=split_words, metavar="A,B", help="These classes only.")
@click.option("--level", type=click.IntRange(0, 2), help="How far it is verified; default: the definition's, 2.")
@click.option("--drill", is_flag=True, help="Restore it into a throw-away engine too.")
@click.option("--encrypt-to", multiple=True, metavar="age1…|gpg:FPR", help="Encrypt it to this recipient. Repeatable.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Modules at once.")
@click.option("--force-unhealthy", is_flag=True, help="Also when the service is unhealthy.")
@click.option("--include-excluded", is_flag=True, help="Also parked, sunset and non-canonical modules.")
@click.option("--allow-unattended", is_flag=True, help="Also when nobody is there.")
@click.option("--dry-run", "--check", is_flag=True, help="Show what would be done; touch nothing.")
@click.option("--detailed-exitcode", is_flag=True, help="With --dry-run: exit 10 when something would be taken.")
@click.option("--strict", is_flag=True, help="Exit 8 when there are warnings.")
@common_options
def run(modules_named: tuple[str, ...], **options: Any) -> int:
    """Take a verified backup of each MODULE into backup_root. Applies nothing, schedules nothing.

    Exit codes: 0 done; 1 failed; 4 refused before anything was touched; 5 no such module; 7 the service does not
    accept our token or password; 8 warnings, with --strict; 75 another one works on it; 77 nobody is there.

    Example: dce-play backup run uptime-kuma --drill
    """
    if options["detailed_exitcode"] and not options["dry_run"]:
        raise click.UsageError("--detailed-exitcode goes with --dry-run")
    office = Office("run", options)
    if options["dry_run"]:
        return office.answer(lambda: _plan(office, modules_named, options), empty={"backups": [], "failed": []})
    empty: dict[str, Any] = {"backups": [], "failed": []}
    return office.answer(lambda: _take(office, modules_named, options), empty=empty, watched=True)


def _take(office: Office, names: tuple[str, ...], options: dict[str, Any]) -> Answer:
    seen = look(os.environ)
    operator = admit(seen, allow_unattended=options["allow_unattended"], what="taking a backup")
    modules = _chosen(office, names, options)
    wanted = TakeOptions(
        operator=operator,
        tool_version=__version__,
        level=options["level"],
        encrypt_to=options["encrypt_to"],
        force_unhealthy=options["force_unhealthy"],
        include_excluded=options["include_excluded"],
        drill=options["drill"],
    )
    outcome = take_all(modules, services_of(office), office.desk.root, wanted, jobs=options["jobs"])
    return _answer(outcome, strict=options["strict"])


def _plan(office: Office, names: tuple[str, ...], options: dict[str, Any]) -> Answer:
    operator = admit(look(os.environ), allow_unattended=True, what="a dry run")
    wanted = TakeOptions(
        operator=operator,
        tool_version=__version__,
        level=options["level"],
        encrypt_to=options["encrypt_to"],
        include_excluded=options["include_excluded"],
    )
    planned: list[Planned] = []
    taken_of: list[str] = []
    failed: list[FailedRow] = []
    for module in _chosen(office, names, options):
        services = services_of(office)
        try:
            found = TakeRun(module, services, office.desk.root, wanted).plan()
            taken_of.append(_taken_of(module, services))
            planned.append(found)
        except DcePlayError as error:
            failed.append(failed_row(module.name, error))
    answer = _answer(Outcome(failed=tuple(failed)), strict=False)
    lines = [
        f"{each.module}: class {each.class_name} → {each.path}, about {_size(each.estimate_bytes)} before compression, "
        f"{_size(each.free_bytes)} free; {of}{', '.join(each.quiesce) or 'nothing is held still'}; level {each.level}"
        for each, of in zip(planned, taken_of, strict=True)
    ]
    if answer.error is None and planned and options["detailed_exitcode"]:
        answer.code = ExitCode.CHANGES_PENDING
    answer.facts = {"planned": planned, **answer.facts}
    answer.lines = (*lines, *answer.lines)
    return answer


def _taken_of(module: Module, services: LocalServices) -> str:
    """Return which container and folders are taken, for whoever knows what runs."""
    container = services.container(module)
    places = engine_named(module.engine).quiesce_places(module, services)
    words = [*([f"the container {container.name}"] if container is not None else []), *places]
    return f"of {', '.join(words)}; " if words else ""


def _chosen(office: Office, names: tuple[str, ...], options: dict[str, Any]) -> Any:
    modules = office.desk.chosen(
        names,
        all_of_them=options["all_of_them"],
        classes=options["only"],
        include_excluded=options["include_excluded"],
    )
    office.hide(name for module in modules for name in secret_variables(module.keys))
    return modules


def _answer(outcome: Outcome, *, strict: bool) -> Answer:
    facts = {"backups": outcome.backups, "failed": outcome.failed}
    lines = [
        f"{each.path}\n  {each.module}: class {each.class_name}, {_size(each.bytes)}, level {each.level}, "
        f"{each.consistency}, {show_duration(each.duration_s)}; health: "
        f"{each.health['before']} before, {each.health['after']} after"
        + "".join(f"\n  warning: {warning.id}: {warning.message}" for warning in each.warnings)
        for each in outcome.backups
    ]
    codes = {each.exit_code for each in outcome.failed}
    if codes:
        code = codes.pop() if len(codes) == 1 else ExitCode.FAILED
        first = outcome.failed[0]
        more = "".join(f"\n  {each.module}: {each.message}" for each in outcome.failed[1:])
        error = BackupError(
            ErrorId(first.error),
            f"{first.module}: {first.message}{more}",
            hint=first.hint,
            exit_code=ExitCode(code),
        )
        return Answer(facts=facts, lines=lines, ok=False, code=code, error=error)
    if strict and any(each.warnings for each in outcome.backups):
        return Answer(facts=facts, lines=lines, code=ExitCode.SKIPS)
    return Answer(facts=facts, lines=lines)


def _size(count: int | None) -> str:
    if count is None:
        return "an unknown size"
    return counted(count, "byte") if count < 1 << 20 else f"{count / (1 << 20):,.1f} MiB"
