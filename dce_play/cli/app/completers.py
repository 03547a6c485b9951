"""What the shell offers for a word that is not finished: names of the folder one stands in.

A completer never fails and never speaks: where something cannot be read, it offers nothing. What it needs is imported
when it is asked, as every command declares its completers.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from dce_play.cli.app.working_folder import working_folder
from dce_play.errors import DcePlayError

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
_Words = Iterable[tuple[str, str]]
"""Words, each with what it is."""


def _completer(*, splits: bool = False) -> Callable[[Callable[[click.Context], _Words]], Completer]:
    """Make a completer of what yields all words; with ``splits`` only what follows the last comma is completed."""

    def make(words: Callable[[click.Context], _Words]) -> Completer:
        @wraps(words)
        def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
            before, comma, begun = incomplete.rpartition(",") if splits else ("", "", incomplete)
            try:
                offered = [(word, what) for word, what in words(ctx) if _fits(word, what, begun)]
            except (DcePlayError, OSError):
                return []
            taken = set(before.split(","))
            return [CompletionItem(before + comma + word, help=what) for word, what in offered if word not in taken]

        return complete

    return make


def _fits(word: str, told: str, begun: str) -> bool:
    """Return whether the word begins like this; a channel also by its name, as nobody knows its id."""
    return word.startswith(begun) or (word.isdigit() and bool(begun) and begun.casefold() in told.casefold())


def playbooks(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the bare names of playbooks; files where none fits."""
    from dce_play.cli.app.find_playbook import playbook_names

    names = [name for name in playbook_names(working_folder()) if name.startswith(incomplete)]
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


@_completer(splits=True)
def targets(ctx: click.Context) -> _Words:
    """Offer the names of the targets file."""
    return [(name, why_not) for name, why_not, _, _ in _targets(ctx)]


@_completer()
def channels(ctx: click.Context) -> _Words:
    """Offer the channels that have a file, by id or by what the file is called."""
    from dce_play.discord.archive.folder.seeds import find_seeds

    chosen = ctx.params.get("targets") or ()
    of = [folder for name, _, folder, _ in _targets(ctx) if not chosen or name in chosen]
    return [(seed.channel_id, seed.path.name.rpartition(" [")[0]) for folder in of for seed in find_seeds(folder)]


@_completer()
def guilds(ctx: click.Context) -> _Words:
    """Offer the guilds that targets name."""
    return [(guild, name) for name, _, _, guilds_of in _targets(ctx) for guild in guilds_of]


@_completer(splits=True)
def tags(ctx: click.Context) -> _Words:
    """Offer the tags of the playbook that is on the line already."""
    counts = Counter(tag for _, _, tags_of in _steps(ctx) for tag in tags_of)
    return [(tag, f"{number} step{'s' if number > 1 else ''}") for tag, number in sorted(counts.items())]


@_completer()
def starts(ctx: click.Context) -> _Words:
    """Offer the ids of the steps of the playbook that is on the line already."""
    return [(name, plugin) for name, plugin, _ in _steps(ctx)]


@_completer()
def runs(ctx: click.Context) -> _Words:
    """Offer the ids of the newest runs."""
    from itertools import islice

    from dce_play.layout import runs_folder
    from dce_play.runner.record.folders import each_run

    found = each_run(runs_folder(ctx.params.get("state_dir"), os.environ))
    return [(info.run_id, f"{info.state} {info.name}") for info in islice(found, 50)]


@_completer()
def step_names(ctx: click.Context) -> _Words:
    """Offer the names of the step plugins."""
    from dce_play.cli.app.step_table import step_table
    from dce_play.playbook.load.schema import step_summary

    table = step_table(plugins=bool(ctx.params.get("plugins")), folder=working_folder())
    return [(name, step_summary(step)) for name, step in sorted(table.items())]


def _targets(ctx: click.Context) -> list[tuple[str, str, Path, tuple[str, ...]]]:
    """Return name, why it is disabled, folder and guilds of each target."""
    from dce_play.cli.app.targets_file import load_targets_file
    from dce_play.discord.targets.usual_file import find_targets_file

    path = find_targets_file(ctx.params.get("config"), os.environ, working_folder())
    if path is None:
        return []
    found = load_targets_file(path).targets
    return [(each.name, each.disabled_reason or "", each.output_dir, each.guild_ids) for each in found]


def _steps(ctx: click.Context) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return id, plugin and tags of each step of the playbook on the line."""
    from dce_play.cli.app.find_playbook import find_playbook
    from dce_play.cli.app.step_table import open_library
    from dce_play.playbook.plan.plan import PlannedStep, walk
    from dce_play.playbook.plan.planning import plan_from

    # Where the word to complete is an option's value, click leaves the playbook among the words it did not place.
    name, folder = ctx.params.get("playbook") or next(iter(ctx.args), None), working_folder()
    if not name:
        return []
    plugins = bool(ctx.params.get("plugins"))
    plan = plan_from(open_library(plugins=plugins, folder=folder, environment=os.environ), find_playbook(name, folder))
    return [(node.id, node.step, node.keywords.tags) for node in walk(plan.steps) if isinstance(node, PlannedStep)]
