"""``dce-play media fetch`` and ``retry``: the bytes that old channel files name, and those that were given up."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import click

from dce_play.cli.app.guarded import guarded
from dce_play.cli.app.step_verb import declared
from dce_play.cli.app.verb import LateProgress, complain, format_option, lock_wait_option, new_run_id, tell
from dce_play.cli.app.working_folder import working_folder
from dce_play.cli.media.chosen import chosen_targets, target_options
from dce_play.discord.media.backlog import fetch_backlog, retry_gone, retry_lost
from dce_play.discord.media.opened import MediaTools
from dce_play.discord.media.outcome import MediaOutcome
from dce_play.errors import DcePlayError, ExitCode
from dce_play.steps.media.fetch import Params, outputs_of
from dce_play.system.clock import SystemClock
from dce_play.system.redact import PROCESS, Masker


class MediaStoreUnusable(DcePlayError):
    """A store cannot be written."""


@declared(Params, "strict")
@click.command(short_help="Fetch what the channel files name and the store lacks.")
@target_options
@lock_wait_option
@format_option
def fetch(target: str | None, *, config: Path | None, strict: bool, lock_wait_s: float, output_format: str) -> int:
    """Fetch what the channel files of TARGET name and the store lacks; of all targets that keep media without TARGET.

    \b
    Example:
      dce-play media fetch my-server

    Exit 0 also with missing media, which are told in the run that finds them; with --strict 8. Exit 1: a store or a
    channel file cannot be used. Exit 75: the archive is locked.
    """
    return _fetch(target, config, strict=strict, lock_wait_s=lock_wait_s, output_format=output_format)


@declared(Params, "strict")
@click.command(short_help="Try again what is lost from the store, or gone.")
@target_options
@click.option("--gone", is_flag=True, help="Also try what Discord said is gone.")
@lock_wait_option
@format_option
def retry(
    target: str | None, *, config: Path | None, gone: bool, strict: bool, lock_wait_s: float, output_format: str
) -> int:
    """Fetch again what failed or is lost from the store; with --gone also what Discord said is gone.

    \b
    Example:
      dce-play media retry my-server --gone

    Exit codes are those of "media fetch": 0 done; 1 a store or a file cannot be used; 8 missing, with --strict; 75
    locked.
    """
    return _fetch(
        target, config, strict=strict, lock_wait_s=lock_wait_s, output_format=output_format, again=True, gone=gone
    )


def _fetch(
    name: str | None,
    config: Path | None,
    *,
    strict: bool,
    lock_wait_s: float,
    output_format: str,
    again: bool = False,
    gone: bool = False,
) -> int:
    targets_file, targets = chosen_targets(name, config)
    chosen = [each for each in targets if each.media.on or name is not None]
    if not chosen:
        tell(output_format, ["no target keeps media (media: off)"], {"targets": 0})
        return ExitCode.OK
    code = ExitCode.OK
    with (
        _stop_signals() as caught,
        guarded(targets_file.archive_root, root=targets_file.archive_root, lock_wait_s=lock_wait_s, dry_run=False),
    ):
        tools = _tools(caught)
        for target in chosen:
            try:
                if again:
                    retry_lost(target)
                if gone:
                    retry_gone(target)
            except (OSError, sqlite3.Error) as error:
                raise MediaStoreUnusable(f"media of target '{target.name}' cannot be used: {error}") from error
            outcome = fetch_backlog(target, tools)
            tell(
                output_format,
                outcome.lines(target.name) or [f"Target '{target.name}': nothing to fetch"],
                _facts(target.name, outcome),
            )
            if outcome.trouble or outcome.unread:
                code = ExitCode.FAILED
            elif strict and outcome.missing and code is ExitCode.OK:
                code = ExitCode.SKIPS
    if caught:
        return ExitCode.TERMINATED if signal.SIGTERM in caught else ExitCode.INTERRUPTED
    return code


def _tools(caught: list[int]) -> MediaTools:
    return MediaTools(
        environment=os.environ,
        folder=working_folder(),
        clock=SystemClock(),
        run_id=new_run_id(),
        note=complain,
        protect=Masker(PROCESS).add,
        cancelled=lambda: bool(caught),
        progress=LateProgress("media"),
    )


def _facts(name: str, outcome: MediaOutcome) -> dict[str, object]:
    return {"target": name, "states": dict(outcome.states), **asdict(outputs_of(outcome))}


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM; what is fetched by then is kept."""
    caught: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        caught.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
