"""``dce-play lint``: check playbooks, roles, targets files and schemas without running anything."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import assert_never

import click

from dce_play.cli.app.project_file import wants_plugins
from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.auth.git_ignore import loose_secrets
from dce_play.discord.targets.usual_file import find_targets_file
from dce_play.errors import ExitCode
from dce_play.playbook.document.cache import Cache, cache_folder, own_fingerprint
from dce_play.playbook.lint.files import NothingToLint
from dce_play.playbook.lint.fix import fix_files
from dce_play.playbook.lint.lint import Inspection, Linter, LintResult
from dce_play.render.lint.github import as_github
from dce_play.render.lint.gitlab import as_gitlab
from dce_play.render.problems import as_json, render_problems, summary
from dce_play.source import Problem, Severity
from dce_play.system.counted import counted
from dce_play.system.masked_output import painted


class Form(StrEnum):
    """How lint's findings are told: for people, for programs, and as services that review changes read them."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    GITLAB = "gitlab"
    SARIF = "sarif"
    JUNIT = "junit"


_USUAL_PLACES = ("playbooks", "roles", "scrape-targets.yml", "scrape-targets.json", "config")


@click.command(name="lint")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "output_format",
    type=click.Choice([str(form) for form in Form]),
    help="How to tell; text, or github where GITHUB_ACTIONS is true.",
)
@click.option("--fix", is_flag=True, help="Mend what can be mended with certainty; comments stay.")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option(
    "--plugins", is_flag=True, help="Load the steps of this project and of installed packages: runs their code."
)
@click.option("--no-cache", is_flag=True, help="Look at every file anew.")
@click.option("-q", "--quiet", is_flag=True, help="Tell errors only.")
def command(
    paths: tuple[Path, ...],
    output_format: str | None,
    *,
    fix: bool,
    strict: bool,
    plugins: bool,
    no_cache: bool,
    quiet: bool,
) -> int:
    """Check playbooks, roles, targets files and schemas. Exit 3 when there is an error.

    PATHS are files or folders; without any, playbooks, roles and targets files in this folder. Of a folder only what is
    ours is read: what lies in playbooks/, what has steps of ours, role.yml, targets files and our schemas. Nothing is
    run and nothing is asked of the network.

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
    kept = Cache(home, own_fingerprint()) if home is not None else None

    targets = find_targets_file(None, os.environ, folder)
    inspector = _Inspector(plugins=plugins, folder=folder, cache=kept, targets=targets)
    linter = Linter(inspector, kept, beside=str(targets or ""))
    result = linter.lint(chosen)
    if fix and fix_files(result.problems):
        result = linter.lint(chosen)
    shown = [problem for problem in result.problems if not quiet or problem.severity is Severity.ERROR]
    form = Form(output_format) if output_format else _usual_form(os.environ)
    _show(shown, result, form=form, folder=folder, strict=strict)
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
    targets: Path | None

    def __call__(self, path: Path, data: bytes, /) -> Inspection:
        # Inside the function for start-up time, see above.
        from dce_play.cli.app.step_table import is_shipped, step_table
        from dce_play.cli.author.targets_beside import targets_beside
        from dce_play.playbook.lint.file import inspect_file

        steps = step_table(plugins=self.plugins, folder=self.folder)
        return inspect_file(
            path, data, steps=steps, shipped=is_shipped(steps), cache=self.cache, targets=targets_beside(self.targets)
        )


def _usual_form(environment: Mapping[str, str]) -> Form:
    return Form.GITHUB if environment.get("GITHUB_ACTIONS") == "true" else Form.TEXT


def _show(problems: list[Problem], result: LintResult, *, form: Form, folder: Path, strict: bool) -> None:
    match form:
        case Form.TEXT:
            texts = {path: _text(path) for path in {problem.span.path for problem in problems}}
            colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
            if problems:
                click.echo(render_problems(problems, texts, folder=folder, colour=colour), file=painted(sys.stdout))
            others = f"; {counted(result.left_out, 'other is', 'others are')} not ours" if result.left_out else ""
            click.echo(summary(problems, len(result.files)) + others)
        case Form.JSON:
            rows = [as_json(problem, folder=folder) for problem in problems]
            click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        case Form.GITHUB:
            click.echo(as_github(problems, folder) + summary(problems, len(result.files)))
        case Form.GITLAB:
            click.echo(as_gitlab(problems, folder), nl=False)
        case Form.SARIF:
            # Inside the function for start-up time: 20 ms for quoting URIs.
            from dce_play.render.lint.sarif import as_sarif

            click.echo(as_sarif(problems, folder), nl=False)
        case Form.JUNIT:
            # Inside the function for start-up time: XML takes 15 ms.
            from dce_play.render.lint.junit import as_junit

            click.echo(as_junit(problems, result.files, folder, strict=strict), nl=False)
        case _:
            assert_never(form)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
