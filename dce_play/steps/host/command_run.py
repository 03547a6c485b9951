"""Run a program, without a shell, and check how it ended.

Its lines are told as they come. A program that needs a shell's redirections gets ``stdout``; one that needs a
shell is started as ``[sh, -c, ...]``, which then is plain to see. A dry run does not start it.
"""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from dce_play.plugin import UNKNOWN, Change, Context, Duration, Effects, Info, StepPlan, StepResult, View
from dce_play.steps.program_run import ExitCodes, RunFolder, Variables, WritesArchive, judged
from dce_play.system.process.executor import Command

NAME = "command.run"
EFFECTS = Effects.LOCAL
REPEATABLE = False
REHEARSABLE = False

_HOUR = Duration(3600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to run, and what counts as a success."""

    argv: Annotated[
        tuple[str, ...], Info(help="The program and its arguments.", example=["rsync", "-a", "in/", "out/"])
    ]
    env: Variables = field(default_factory=dict)
    secret_env: Annotated[
        dict[str, str],
        Info(
            help="Environment variables that are secrets, as env:NAME, file:PATH or keyring:NAME; masked everywhere.",
            example={"RESTIC_PASSWORD": "file:~/.config/restic/password"},
        ),
    ] = field(default_factory=dict)
    cwd: RunFolder = None
    timeout: Annotated[Duration, Info(help="The program and all it started are ended after this.")] = _HOUR
    stdout: Annotated[Path | None, Info(help="A file that takes standard output, replaced; for bulk.")] = None
    exit_codes: ExitCodes = (0,)
    writes_archive: WritesArchive = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """How it ended."""

    exit_code: Annotated[int, Info(help="128 + n for a program ended by signal n.")]
    stdout: Annotated[str, Info(help="Standard output, masked; empty when it went into a file.")]
    stderr: Annotated[str, Info(help="Standard error, masked.")]
    duration_s: Annotated[float, Info(help="How long it ran.", unit="s")]


def plan(params: Params, _view: View, /) -> StepPlan:
    """Tell the command line."""
    words = shlex.join(params.argv)
    changes = [Change(what=f"run {words}")]
    if params.stdout is not None:
        changes.append(Change(what=f"write its output to {params.stdout}", path=params.stdout))
    outputs = dict.fromkeys(("exit_code", "stdout", "stderr", "duration_s"), UNKNOWN)
    return StepPlan(summary=f"would run {words}", changes=tuple(changes), outputs=outputs)


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Run it."""
    secrets = {name: ctx.secrets.resolve(reference) for name, reference in params.secret_env.items()}
    finished = ctx.executor.run(
        Command(
            argv=params.argv,
            timeout_s=params.timeout,
            cwd=params.cwd or ctx.folder,
            env={**params.env, **secrets},
            secrets=frozenset(secrets.values()),
            stdout=params.stdout,
            pass_fds=ctx.lock_fds if params.writes_archive else (),
        ),
        on_line=lambda _stream, line: ctx.reporter.say(line),
    )
    outputs = Outputs(
        exit_code=finished.exit_code,
        stdout=finished.stdout,
        stderr=finished.stderr,
        duration_s=finished.duration_s,
    )
    return judged(finished, outputs, what=params.argv[0], exit_codes=params.exit_codes)
