"""Programs: what to run, and what came of it.

``LocalExecutor(os.environ, masker).run(Command(argv=("true",), timeout_s=10))`` is the one door to other programs.
"""

import errno
import os
import shlex
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Protocol

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.process.prompts import Answer
from dce_play.system.process.tree import ProgramEnd, Why, collect, started
from dce_play.system.redact import Masker
from dce_play.system.secret_names import without_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program to run: an argv, never a shell line."""

    argv: tuple[str, ...]
    timeout_s: float
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the inherited environment. Secrets travel here, never in ``argv``."""
    withheld: frozenset[str] = frozenset()
    """Variables that it does not inherit."""
    secrets: frozenset[str] = frozenset()
    """Texts that no log, error or output may show."""
    stdout: Path | None = None
    """A file for bulk output; without it standard output is kept in memory."""
    pass_fds: tuple[int, ...] = ()
    """Descriptors the program inherits, such as the archive lock's for a program that writes the archive."""
    is_question: bool = False
    """It is asked something in a time of ours, which nobody can make longer."""
    tidies_up: bool = False
    """It runs to its end although the run is being stopped: it removes what would stay behind."""
    pty: bool = False
    """It gets a terminal of its own, on which standard error and standard output are one."""
    answers: tuple[Answer, ...] = ()
    """What to type when it asks; without any, standard input is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended. ``exit_code`` is 128 + n for a program ended by signal n."""

    exit_code: int
    stdout: str
    stderr: str
    duration_s: float


class Executor(Protocol):
    """Whatever runs programs."""

    def run(
        self,
        command: Command,
        /,
        *,
        on_line: Callable[[str, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Finished:
        """Run the program to its end and return how it ended, also when it failed.

        ``on_line`` gets each line as it comes: the stream (``stdout`` or ``stderr``) and the text. ``cancelled`` is
        asked several times a second, in the caller's thread too: once it says yes, the program is ended.
        """


class NoSuchProgram(DcePlayError):
    """There is no such program on this machine, or it may not be run."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, program: str, *, reason: str) -> None:
        self.program = program
        super().__init__(f'cannot run "{program}": {reason}', hint=f"is {program} installed, and on the PATH?")


class SecretInArguments(DcePlayError):
    """A secret would have stood on a command line, where every user of the machine can read it."""

    def __init__(self, program: str) -> None:
        self.program = program
        super().__init__(
            f"a secret stands among the arguments of {program}", hint="hand it over in an environment variable"
        )


class ProgramTimedOut(DcePlayError):
    """A program was ended, with all it had started, because its time was up."""

    def __init__(self, command: Command, *, finished: Finished) -> None:
        self.program = command.argv[0]
        self.timeout_s = command.timeout_s
        self.finished = finished
        asked = f"see what it waits for: {shlex.join(command.argv)}"
        hint = asked if command.is_question else "give it a longer timeout"
        super().__init__(f"{self.program} was ended after {self.timeout_s:g} s", hint=hint)


class ProgramCancelled(DcePlayError):
    """A program was ended, with all it had started, because the run is being stopped."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERRUPTED

    def __init__(self, program: str, *, finished: Finished) -> None:
        self.program = program
        self.finished = finished
        super().__init__(f"{program} was ended because the run was stopped")


class LocalExecutor:
    """Runs programs on this machine, without a shell, and ends the whole tree of one that must end.

    ``environment`` is what programs inherit, without the variables whose names say that they hold secrets, unless they
    are among ``handed_on``. The secrets of each command join ``masker``, and what a program says
    is masked before anybody sees it; a file named by ``Command.stdout`` gets the bytes as they are.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        masker: Masker,
        cancelled: Callable[[], bool] = lambda: False,
        *,
        handed_on: Collection[str] = (),
    ) -> None:
        self._inherited = environment
        self._handed_on = handed_on
        self._masker = masker
        self._cancelled = cancelled

    @cached_property
    def _environment(self) -> dict[str, str]:
        """What programs inherit: made for the first, as each step has an executor and few run a program."""
        return without_secrets(self._inherited, self._handed_on)

    def _environment_of(self, command: Command) -> dict[str, str]:
        inherited = {name: value for name, value in self._environment.items() if name not in command.withheld}
        return {**inherited, **command.env}

    def run(
        self,
        command: Command,
        /,
        *,
        on_line: Callable[[str, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Finished:
        """Run the program to its end and return how it ended, also when it failed.

        ``on_line`` is called in this thread. A daemon that the program leaves behind is not waited for.

        Raises: NoSuchProgram, ProgramTimedOut, ProgramCancelled, SecretInArguments, SecretTooShort, AnswerNotTaken.
        """
        program = command.argv[0]
        for secret in command.secrets:
            self._masker.add(secret)
        if any(secret in argument for secret in command.secrets if secret for argument in command.argv):
            raise SecretInArguments(program)
        begun = time.monotonic()
        try:
            ended = self._run(command, on_line, cancelled or (lambda: False))
        except OSError as error:
            _refuse(error, command, path=command.env.get("PATH", self._environment.get("PATH", os.defpath)))
            raise
        finished = Finished(
            exit_code=ended.exit_code,
            stdout=self._masker.mask(ended.stdout),
            stderr=self._masker.mask(ended.stderr),
            duration_s=time.monotonic() - begun,
        )
        match ended.why:
            case Why.TIMED_OUT:
                raise ProgramTimedOut(command, finished=finished)
            case Why.CANCELLED:
                raise ProgramCancelled(program, finished=finished)
            case Why.EXITED:
                return finished

    def _run(
        self, command: Command, on_line: Callable[[str, str], None] | None, asked: Callable[[], bool]
    ) -> ProgramEnd:
        def cancelled() -> bool:
            return not command.tidies_up and (self._cancelled() or asked())

        if command.pty or command.answers:
            return self._run_asking(command, on_line, cancelled)
        with started(
            command.argv,
            env=self._environment_of(command),
            cwd=command.cwd,
            pass_fds=command.pass_fds,
            stdout=command.stdout,
        ) as process:
            if on_line is None:
                return collect(process, timeout_s=command.timeout_s, cancelled=cancelled)
            # Here because invoke takes 130 ms to import, and only a program whose lines are wanted live needs it.
            from dce_play.system.process.follow import follow

            tell = on_line
            return follow(
                process,
                command.argv,
                timeout_s=command.timeout_s,
                cancelled=cancelled,
                on_line=lambda stream, line: tell(stream, self._masker.mask(line)),
            )

    def _run_asking(
        self, command: Command, on_line: Callable[[str, str], None] | None, cancelled: Callable[[], bool]
    ) -> ProgramEnd:
        from dce_play.system.process.answering import answer, started_asking  # start-up time, as above

        def tell(stream: str, line: str) -> None:
            if on_line is not None:
                on_line(stream, self._masker.mask(line))

        environment = self._environment_of(command)
        with started_asking(
            command.argv, env=environment, cwd=command.cwd, pass_fds=command.pass_fds, pty=command.pty
        ) as asking:
            return answer(
                asking,
                command.argv,
                command.answers,
                timeout_s=command.timeout_s,
                cancelled=cancelled,
                on_line=tell,
            )


def _refuse(error: OSError, command: Command, *, path: str) -> None:
    """Raise what an operator understands, if the program is what could not be found or run."""
    program = command.argv[0]
    if command.cwd is not None and str(error.filename) == str(command.cwd):
        raise NoSuchProgram(program, reason=f"no folder {command.cwd} to run it in") from error
    if error.filename not in {program, None}:
        return
    match error.errno:
        case errno.ENOENT:
            raise NoSuchProgram(program, reason="no such program") from error
        case errno.EACCES if "/" in program or _is_seen(program, path):
            raise NoSuchProgram(program, reason="no permission to run it") from error
        case errno.EACCES:  # the kernel's answer for a folder on the PATH that we may not enter
            raise NoSuchProgram(program, reason="no such program") from error
        case errno.ENOEXEC:
            raise NoSuchProgram(program, reason="not a program of this machine") from error


def _is_seen(program: str, path: str) -> bool:
    """Return whether a folder of the PATH that we may look into has a file of that name, as a shell looks for it."""
    for folder in path.split(os.pathsep):
        try:
            (Path(folder) / program).stat()
        except OSError:
            continue
        return True
    return False
