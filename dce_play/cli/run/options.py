"""The options of a run, each declared once: its field, its flags, its help, and where it goes from there.

``RunOptions`` is the one value in which they travel. From the same declarations come click's options of ``run`` and
``resume``, what ``resume`` reads back from the journal, and the words of a command that asks for the same again.
"""

import shlex
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import click

from dce_play.cli.app import completers
from dce_play.cli.fan_out.address import ClusterAddress
from dce_play.cli.run.flags import Declared, Flag
from dce_play.source import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """All options of ``run`` but the playbook's own."""

    extra: Annotated[
        tuple[str, ...],
        Flag(
            names=("-e", "--extra"),
            aliases=("--extra-vars",),
            metavar="NAME=VALUE|@FILE",
            help="Set a param, or many from a YAML file.",
            kept=True,
        ),
    ] = ()
    targets: Annotated[
        tuple[str, ...],
        Flag(
            names=("--target",),
            aliases=("-l", "--limit"),
            completer=completers.targets,
            metavar="NAME",
            help="Only this target; repeatable.",
            kept=True,
        ),
    ] = ()
    channels: Annotated[
        tuple[str, ...],
        Flag(
            names=("--channel",),
            completer=completers.channels,
            metavar="ID",
            help="Only this channel of one target; repeatable.",
            kept=True,
        ),
    ] = ()
    guilds: Annotated[
        tuple[str, ...],
        Flag(
            names=("--guild",),
            completer=completers.guilds,
            metavar="ID",
            help="Only this guild of one target; repeatable.",
            kept=True,
        ),
    ] = ()
    config: Annotated[
        Path | None, Flag(names=("--config",), help="The targets file.  [env: DCE_CONFIG_FILE]", kept=True)
    ] = None
    dry_run: Annotated[
        bool,
        Flag(
            names=("--dry-run", "--check"),
            aliases=("-C",),
            help="Show what would change; change nothing.",
            again=False,
        ),
    ] = False
    diff: Annotated[bool, Flag(names=("--diff",), aliases=("-D",), help="Show changes as diffs.", again=False)] = False
    detailed_exitcode: Annotated[
        bool,
        Flag(names=("--detailed-exitcode",), help="With --dry-run: exit 10 when something would change.", again=False),
    ] = False
    tags: Annotated[
        tuple[str, ...],
        Flag(
            names=("--tags",),
            aliases=("-t",),
            completer=completers.tags,
            metavar="TAG,…",
            help="Only steps with one of these tags.",
            splits=True,
            kept=True,
        ),
    ] = ()
    skip_tags: Annotated[
        tuple[str, ...],
        Flag(
            names=("--skip-tags",),
            completer=completers.tags,
            metavar="TAG,…",
            help="No steps with one of these tags.",
            splits=True,
            kept=True,
        ),
    ] = ()
    start_at: Annotated[
        str | None,
        Flag(
            names=("--start-at",),
            aliases=("--start-at-task",),
            completer=completers.starts,
            metavar="STEP",
            help="Leave out the steps before this one.",
            kept=True,
        ),
    ] = None
    list_steps: Annotated[
        bool,
        Flag(
            names=("--list-steps",),
            aliases=("--list-tasks",),
            help="Show the steps that would run, and stop.",
            again=False,
        ),
    ] = False
    step_by_step: Annotated[bool, Flag(names=("--step",), help="Ask before every step.", resumes=True)] = False
    assume_yes: Annotated[
        bool, Flag(names=("--yes", "-y"), help="Answer every question of the playbook with yes.", resumes=True)
    ] = False
    allow_unattended: Annotated[
        bool,
        Flag(names=("--allow-unattended",), help="Take backups also where nobody is there; otherwise exit 77."),
    ] = False
    lock_wait_s: Annotated[
        float, Flag(names=("--lock-wait",), metavar="DURATION", help="Wait for the archive's lock.", resumes=True)
    ] = 0.0
    timeout_s: Annotated[
        float | None,
        Flag(names=("--timeout",), metavar="DURATION", help="Stop the whole run after this; exit 124.", resumes=True),
    ] = None
    strict: Annotated[bool, Flag(names=("--strict",), help="Exit 8 when a step skipped something.", kept=True)] = False
    output: Annotated[
        str, Flag(names=("--output",), choices=("text", "jsonl"), help="Form of stdout.", resumes=True)
    ] = "text"
    report: Annotated[
        str | None, Flag(names=("--report",), metavar="json=FILE", help="Write the report there too.", resumes=True)
    ] = None
    log_file: Annotated[
        Path | None, Flag(names=("--log-file",), help="Append everything to this file.", resumes=True)
    ] = None
    quiet: Annotated[
        bool, Flag(names=("-q", "--quiet"), help="Tell only what failed, and what mends it; for cron.", resumes=True)
    ] = False
    verbose: Annotated[
        int,
        Flag(
            names=("-v", "--verbose"), help="Tell every line; -vv also what steps give on.", counted=True, resumes=True
        ),
    ] = 0
    no_color: Annotated[
        bool, Flag(names=("--no-color",), help="Plain lines.  [env: NO_COLOR, TERM=dumb]", resumes=True)
    ] = False
    state_dir: Annotated[
        Path | None,
        Flag(names=("--state-dir",), help="Where run folders go.  [env: DCE_PLAY_STATE_DIR]", resumes=True),
    ] = None
    jobs: Annotated[
        int | None,
        Flag(
            names=("--jobs",), metavar="N", help="Run N items of a loop with fan_out at once, in processes.", kept=True
        ),
    ] = None
    cluster: Annotated[
        str | None,
        Flag(
            names=("--cluster",),
            metavar="ADDRESS",
            takes=ClusterAddress(),
            help="Run such items on the workers of the Dask scheduler at tcp://HOST:PORT or tls://HOST:PORT.",
            kept=True,
        ),
    ] = None
    plugins: Annotated[
        bool,
        Flag(names=("--plugins",), help="Load step plugins of this folder and of installed packages.", kept=True),
    ] = False
    rehearse: Annotated[
        bool,
        Flag(names=("--rehearse",), help="Run it against a simulated Discord in a throw-away archive root."),
    ] = False

    @property
    def report_file(self) -> Path | None:
        """The file of ``--report json=FILE``."""
        return None if self.report is None else Path(self.report.partition("=")[2])


@cache
def declared() -> tuple[Declared, ...]:
    """Return the options in the order of their fields, which is that of ``--help``."""
    hints = typing.get_type_hints(RunOptions, include_extras=True)
    found = []
    for each in fields(RunOptions):
        plain, flag = typing.get_args(hints[each.name])
        kinds = [kind for kind in (typing.get_args(plain) or (plain,)) if kind not in {type(None), Ellipsis}]
        kind = tuple if typing.get_origin(plain) is tuple else kinds[0]
        found.append(Declared(name=each.name, kind=kind, default=each.default, flag=flag))
    return tuple(found)


@cache
def aliases() -> frozenset[str]:
    """Return Ansible's spellings, which a playbook's own params may take from us."""
    return frozenset(alias for each in declared() for alias in each.flag.aliases)


def run_options(command: click.Command, /, *, resuming: bool = False) -> click.Command:
    """Give a command the options of ``run``, or those that ``resume`` has too. A decorator."""
    command.params += [each.click_option() for each in declared() if each.flag.resumes or not resuming]
    return command


def options_from(
    values: Mapping[str, Any], /, *, folder: Path, kept: Mapping[str, JsonValue] | None = None
) -> RunOptions:
    """Return the options that parsed values stand for; those that are ``kept`` come from an earlier run's journal.

    Raises: click.UsageError.
    """
    made: dict[str, Any] = {}
    for each in declared():
        value = values.get(each.name, each.default)
        if kept is not None and each.flag.kept:
            value = _from_journal(each, kept.get(each.name))
        elif each.flag.splits:
            value = tuple(part.strip() for text in value for part in text.split(",") if part.strip())
        made[each.name] = value
    if made["detailed_exitcode"] and not made["dry_run"]:
        raise click.UsageError("--detailed-exitcode goes with --dry-run")
    if made["jobs"] is not None and made["cluster"] is not None:
        raise click.UsageError("--jobs and --cluster exclude each other")
    if made["quiet"] and made["verbose"]:
        raise click.UsageError("--quiet and --verbose exclude each other")
    if made["report"] is not None:
        kind, _, path = made["report"].partition("=")
        if kind != "json" or not path:
            raise click.UsageError("--report takes json=FILE")
        made["report"] = f"json={folder / path}"
    if made["log_file"] is not None:
        made["log_file"] = folder / made["log_file"]
    made["extra"] = tuple(_absolute(each, folder) for each in made["extra"])
    return RunOptions(**made)


def to_journal(options: RunOptions, /) -> dict[str, JsonValue]:
    """Return what ``resume`` must know to ask for the same again. No secret is in it: they are given as references."""
    return {each.name: _plain(getattr(options, each.name)) for each in declared() if each.flag.kept}


def run_words(options: RunOptions, /) -> list[str]:
    """Return the options of the ``run`` that does for real what a dry run showed."""
    return [word for each in declared() if each.flag.again for word in each.words(getattr(options, each.name))]


def resume_words(options: RunOptions, /) -> list[str]:
    """Return the options of a ``resume`` that goes on as this run did."""
    return [word for each in declared() if each.flag.resumes for word in each.words(getattr(options, each.name))]


def command_line(verb: str, name: str, words: list[str]) -> str:
    """Return a command to type into a shell; ``name`` is the playbook or the run."""
    if name.startswith("-"):
        return shlex.join(["dce-play", verb, *words, "--", name])
    return shlex.join(["dce-play", verb, name, *words])


def _plain(value: Any) -> JsonValue:
    match value:
        case tuple():
            return [str(each) for each in value]
        case Path():
            return str(value)
        case None | bool() | int() | str():
            return value
        case _:
            raise TypeError(f"{value!r} has no place in a journal")


def _from_journal(each: Declared, value: JsonValue) -> Any:
    if each.kind is tuple:
        return tuple(str(part) for part in value) if isinstance(value, list) else ()
    if each.kind is bool:
        return value is True
    if each.kind is int:
        return value if isinstance(value, int) else each.default
    if not isinstance(value, str):
        return each.default
    return Path(value) if each.kind is Path else value


def _absolute(extra: str, folder: Path) -> str:
    """Return ``@file`` with its whole path, so that a resume from elsewhere finds it."""
    return f"@{folder / extra[1:]}" if extra.startswith("@") else extra
