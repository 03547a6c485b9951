"""Run a line of a shell, with a terminal and answers to its prompts where it wants them, and check how it ended.

Values belong into ``env`` and are read as ``"$NAME"``: text that is put into the line itself is read by the shell. A
program that needs no shell is better run by ``command.run``. A dry run starts nothing.
"""

from dataclasses import dataclass, field
from typing import Annotated

from dce_play.plugin import UNKNOWN, Change, Context, Duration, Effects, Info, StepPlan, StepResult, View
from dce_play.steps.program_run import ExitCodes, RunFolder, Variables, WritesArchive, judged
from dce_play.system.process.executor import Command
from dce_play.system.process.prompts import Answer

NAME = "shell.run"
EFFECTS = Effects.LOCAL
REPEATABLE = False
REHEARSABLE = False

_HOUR = Duration(3600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question that the line may ask."""

    prompt: Annotated[str, Info(help="A regular expression that finds the question.", example="[Pp]assword: ?")]
    answer: Annotated[str, Info(help="What to type; the line end is added.")] = ""
    secret: Annotated[
        str | None, Info(help="What to type, as env:NAME, file:PATH or keyring:NAME; masked everywhere.")
    ] = None
    times: Annotated[int, Info(help="How often it may ask; once more fails the step.", minimum=1)] = 1

    def __post_init__(self) -> None:
        if self.answer and self.secret is not None:
            raise ValueError(f"the prompt {self.prompt} has an answer and a secret; it takes one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to run, and what counts as a success."""

    line: Annotated[str, Info(help="The line, as the shell reads it.", example='sort "$LIST" | uniq -c > counts.txt')]
    shell: Annotated[str, Info(help="The shell; it gets the line after -c.")] = "/bin/sh"
    pty: Annotated[
        bool, Info(help="Give it a terminal of its own: for what asks for a password, or behaves otherwise in a pipe.")
    ] = False
    answers: Annotated[
        tuple[Prompt, ...],
        Info(
            help="What to type at its prompts. Without any, its standard input is empty; with pty, silent.",
            example=[{"prompt": "Continue\\?", "answer": "y"}, {"prompt": "[Pp]assword:", "secret": "env:DB_PASSWORD"}],
        ),
    ] = ()
    env: Variables = field(default_factory=dict)
    secret_env: Annotated[
        dict[str, str],
        Info(help="Environment variables that are secrets, as env:NAME, file:PATH or keyring:NAME; masked everywhere."),
    ] = field(default_factory=dict)
    cwd: RunFolder = None
    timeout: Annotated[Duration, Info(help="The shell and all it started are ended after this.")] = _HOUR
    exit_codes: ExitCodes = (0,)
    writes_archive: WritesArchive = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """How it ended."""

    exit_code: Annotated[int, Info(help="128 + n for a shell ended by signal n.")]
    stdout: Annotated[str, Info(help="Standard output, masked; with pty all that it showed.")]
    stderr: Annotated[str, Info(help="Standard error, masked; empty with pty.")]
    duration_s: Annotated[float, Info(help="How long it ran.", unit="s")]


def plan(params: Params, _view: View, /) -> StepPlan:
    """Tell the line."""
    outputs = dict.fromkeys(("exit_code", "stdout", "stderr", "duration_s"), UNKNOWN)
    return StepPlan(summary=f"would run {params.line}", changes=(Change(what=f"run {params.line}"),), outputs=outputs)


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Run it."""
    hidden = {name: ctx.secrets.resolve(reference) for name, reference in params.secret_env.items()}
    answers: list[Answer] = []
    typed: set[str] = set()
    for each in params.answers:
        text = each.answer
        if each.secret is not None:
            text = ctx.secrets.resolve(each.secret)
            typed.add(text)
        answers.append(Answer(prompt=each.prompt, text=text, times=each.times))
    finished = ctx.executor.run(
        Command(
            argv=(params.shell, "-c", params.line),
            timeout_s=params.timeout,
            cwd=params.cwd or ctx.folder,
            env={**params.env, **hidden},
            secrets=frozenset({*hidden.values(), *typed}),
            pass_fds=ctx.lock_fds if params.writes_archive else (),
            pty=params.pty,
            answers=tuple(answers),
        ),
        on_line=lambda _stream, line: ctx.reporter.say(line),
    )
    outputs = Outputs(
        exit_code=finished.exit_code,
        stdout=finished.stdout,
        stderr=finished.stderr,
        duration_s=finished.duration_s,
    )
    return judged(finished, outputs, what="the line", exit_codes=params.exit_codes)
