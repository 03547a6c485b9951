"""``dce-play lint``: check playbooks, roles, targets files and schemas without running anything."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from dce_play.cli.app.project_file import wants_plugins
from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.auth.git_ignore import loose_secrets
from dce_play.errors import ExitCode
from dce_play.playbook.document.cache import Cache, cache_folder, own_fingerprint
from dce_play.playbook.lint.fix import fix_files
from dce_play.playbook.lint.lint import Inspection, Linter, LintResult, NothingToLint
from dce_play.render.problems import as_json, render_problems, summary
from dce_play.source import Problem, Severity
from dce_play.system.masked_output import painted

_USUAL_PLACES = ("playbooks", "roles", "scrape-targets.yml", "scrape-targets.json", "config")


@click.command(name="lint")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", help="How to tell.")
@click.option("--fix", is_flag=True, help="Mend what can be mended with certainty; comments stay.")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option(
    "--plugins", is_flag=True, help="Load the steps of this project and of installed packages: runs their code."
)
@click.option("--no-cache", is_flag=True, help="Look at every file anew.")
@click.option("-q", "--quiet", is_flag=True, help="Tell errors only.")
def command(
    paths: tuple[Path, ...], output_format: str, *, fix: bool, strict: bool, plugins: bool, no_cache: bool, quiet: bool
) -> int:
    """Check playbooks, roles, targets files and schemas. Exit 3 when there is an error.

    PATHS are files or folders; without any, playbooks, roles and targets files in this folder. Nothing is run and
    nothing is asked of the network.

    \b
    Examples:
      dce-play lint
      dce-play lint --strict --format sarif . > lint.sarif

    Exit 0: no errors. Exit 3: errors; with --strict also warnings. Exit 5: nothing to lint.
    """
    folder = working_folder()
    chosen = [folder / path for path in paths] or [folder / name for name in _USUAL_PLACES if (folder / name).exists()]
    if not chosen:
        raise NothingToLint(f"nothing to lint in {folder}", hint="name files or folders")

    # Foreign steps may change without our noticing, so what was found with them is not kept.
    foreign = plugins or wants_plugins(folder)
    home = None if no_cache or foreign else cache_folder(os.environ)
    cache = Cache(home, own_fingerprint()) if home is not None else None

    linter = Linter(_Inspector(plugins=plugins, folder=folder, cache=cache), cache)
    result = linter.lint(chosen)
    if fix and fix_files(result.problems):
        result = linter.lint(chosen)
    shown = [problem for problem in result.problems if not quiet or problem.severity is Severity.ERROR]
    _show(shown, result, output_format=output_format, folder=folder)
    loose = list(loose_secrets(folder))
    for warning in () if quiet else loose:
        click.echo(f"warning: {warning}", err=True)
    failed = result.count(Severity.ERROR) or (strict and (loose or result.count(Severity.WARNING)))
    return ExitCode.INVALID if failed else ExitCode.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inspector:
    """Looks at files; what that takes is imported at the first one, since the cache may know all answers."""

    plugins: bool
    folder: Path
    cache: Cache | None

    def __call__(self, path: Path, data: bytes, /) -> Inspection:
        # Inside the function for start-up time, see above.
        from dce_play.cli.app.step_table import is_shipped, step_table
        from dce_play.playbook.lint.file import inspect_file

        steps = step_table(plugins=self.plugins, folder=self.folder)
        return inspect_file(path, data, steps=steps, shipped=is_shipped(steps), cache=self.cache)


def _show(problems: list[Problem], result: LintResult, *, output_format: str, folder: Path) -> None:
    if output_format == "json":
        rows = [as_json(problem, folder=folder) for problem in problems]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    texts = {path: _text(path) for path in {problem.span.path for problem in problems}}
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    if problems:
        click.echo(render_problems(problems, texts, folder=folder, colour=colour), file=painted(sys.stdout))
    click.echo(summary(problems, len(result.files)))


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
