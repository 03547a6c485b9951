"""What the backup verbs share: their options, the doors that they work through, and how they answer.

With ``--format json`` standard output is exactly one object on one line, on failure too; people's text is on standard
error then.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from dce_play.backup.definitions.find import MODULE_FILE
from dce_play.backup.definitions.model import variables_among
from dce_play.backup.desk import Desk, Places
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.cli.app.verb import DURATION, format_option
from dce_play.cli.backup.ending import Stopped, stoppable
from dce_play.cli.run.watched_verb import watch_verb
from dce_play.errors import DcePlayError, ExitCode
from dce_play.playbook.document.kept import KeptDocuments
from dce_play.runner.secrets import RunSecrets
from dce_play.source import InvalidDocument
from dce_play.system.clock import SystemClock

_Verb = TypeVar("_Verb", bound=Callable[..., Any])
_IDS = {
    ExitCode.USAGE: ErrorId.USAGE,
    ExitCode.INVALID: ErrorId.INVALID,
    ExitCode.PREFLIGHT: ErrorId.NO_TOOL,
    ExitCode.LOCKED: ErrorId.LOCK_HELD,
    ExitCode.INTERRUPTED: ErrorId.INTERRUPTED,
    ExitCode.TIMEOUT: ErrorId.TIMEOUT,
    ExitCode.UNATTENDED: ErrorId.UNATTENDED,
}


_TELLS_ITSELF = frozenset({"failed", "results"})
"""Keys that tell of each of several what failed: then the command as a whole did not, and has no ``error``."""


class Answer(msgspec.Struct, kw_only=True):
    """What a verb has to say."""

    facts: Mapping[str, Any]
    """The JSON object's own keys."""
    lines: Iterable[str] = ()
    """For people, on standard output."""
    code: int = ExitCode.OK
    ok: bool = True
    error: DcePlayError | None = None
    """What went wrong with a part, for the words on standard error and the exit code; the object has its own key."""


class Office:
    """One verb's surroundings."""

    def __init__(self, verb: str, options: Mapping[str, Any]) -> None:
        self.verb = verb
        self._json = options["output_format"] == "json"
        self._timeout_s: float | None = options["timeout_s"]
        self._log: Path | None = options["log_file"]
        self.secrets = RunSecrets(environment=os.environ, folder=Path.cwd())
        self.clock = SystemClock()
        self.hidden = frozenset(variables_among(options.values()))
        """Variables that hold secrets which are handed out by name: no program inherits them."""
        places = Places(
            folder=Path.cwd(),
            modules=options["modules"],
            backup_root=options["backup_root"],
            classes=options["classes"],
        )
        self._documents = KeptDocuments(os.environ, never=(MODULE_FILE,))
        self.desk = Desk(places, os.environ, self.clock, self._documents.load)

    def say(self, line: str) -> None:
        """Tell people one line, on standard error and in the log."""
        shown = self.secrets.mask(self.desk.in_words(line))
        click.echo(shown, err=True)
        self._note(shown)

    def hide(self, names: Iterable[str]) -> None:
        """Take variables out of what programs inherit from now on: they hold secrets that are handed out by name."""
        self.hidden |= frozenset(names)

    def answer(
        self, act: Callable[[], Answer], *, empty: Mapping[str, Any] | None = None, watched: bool = False
    ) -> int:
        """Do it and tell what came of it; ``empty`` are keys that the object has also when it fails as a whole.

        Of a verb that is ``watched`` the project's monitors are told as of a run.
        Raises: DcePlayError, whatever the verb raised, for the words on standard error and the exit code.
        """
        if not watched:
            return self._answer(act, empty)

        def without(hidden: frozenset[str]) -> int:
            self.hide(hidden)
            return self._answer(act, empty)

        return watch_verb(f"backup {self.verb}", without)

    def _answer(self, act: Callable[[], Answer], empty: Mapping[str, Any] | None) -> int:
        try:
            with stoppable(self._timeout_s):
                answer = act()
            self._documents.keep()
        except Stopped as stop:
            self._failed(stop.error, empty or {})
            raise stop.error from None
        except DcePlayError as error:
            error.hint = self.desk.in_words(error.hint)
            self._failed(error, empty or {})
            raise
        except OSError as error:
            told = failure(error)
            failed = BackupError(ErrorId.WRITE_FAILED, told["message"])
            self._failed(failed, empty or {})
            raise failed from error
        if answer.error is not None:
            answer.error.hint = self.desk.in_words(answer.error.hint)
            whole: dict[str, Any] = {} if _TELLS_ITSELF & answer.facts.keys() else {"error": failure(answer.error)}
            self._object({"ok": False, "backup_root": self._root(), **answer.facts, **whole})
            if not self._json:
                self._print(answer.lines)
            raise answer.error
        self._object({"ok": answer.ok, "backup_root": self._root(), **answer.facts})
        if not self._json:
            self._print(answer.lines)
        return answer.code

    def _failed(self, error: DcePlayError, empty: Mapping[str, Any]) -> None:
        self._note(str(error))
        self._object({"ok": False, "backup_root": self._root(), **empty, "error": failure(error)})

    def _object(self, facts: Mapping[str, Any]) -> None:
        if not self._json:
            return
        plain = msgspec.to_builtins({"schema": f"dce-play/backup-{self.verb}/1", **facts})
        click.echo(self.secrets.mask(json.dumps(plain, ensure_ascii=False)))

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            shown = self.secrets.mask(self.desk.in_words(line))
            click.echo(shown)
            self._note(shown)

    def _note(self, line: str) -> None:
        if self._log is None:
            return
        stamp = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, f"{stamp} backup {self.verb}: {self.secrets.mask(line)}\n".encode())
        finally:
            os.close(descriptor)

    def _root(self) -> str:
        try:
            return str(self.desk.root)
        except DcePlayError:
            return ""


def failure(error: DcePlayError | OSError) -> dict[str, str]:
    """Return a failure as the JSON has it: its id of the closed set, one line, what to do."""
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        message = where + (error.strerror or str(error)).lower()
        return {"id": ErrorId.WRITE_FAILED, "message": message, "hint": ""}
    error_id = error.error_id if isinstance(error, BackupError) else _IDS.get(error.exit_code, ErrorId.ENGINE_FAILED)
    message = str(error)
    if isinstance(error, InvalidDocument) and len(error.problems) > 1:
        message = "; ".join(f"{problem.span}: {problem.message}" for problem in error.problems)
    return {"id": error_id, "message": message, "hint": error.hint}


class Verb(click.Command):
    """A command that answers in JSON also when it is called wrongly, if JSON is what was asked for."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> click.Context:
        given = list(args)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            if "--format=json" in given or ("--format", "json") in pairwise(given):
                _tell_misuse(info_name or "", error)
            raise

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:  # of options that do not go together
            if ctx.params.get("output_format") == "json":
                _tell_misuse(ctx.info_name or "", error)
            raise


def _tell_misuse(verb: str, error: click.UsageError) -> None:
    # Inside the function for start-up time: most command lines are right.
    from dce_play.cli.app.misuse import misuse

    message, hint = misuse(error)
    told = {"id": ErrorId.USAGE, "message": message, "hint": hint}
    facts = {"schema": f"dce-play/backup-{verb}/1", "ok": False, "backup_root": "", "error": told}
    if verb == "run":
        facts |= {"backups": [], "failed": []}
    click.echo(json.dumps(facts))


def common_options(verb: _Verb) -> _Verb:
    """Add the options that every verb has."""
    options = (
        click.option("--modules", type=click.Path(path_type=Path), help="A folder with */module.yaml, or a file."),
        click.option("--backup-root", type=click.Path(path_type=Path), help="The folder of backups."),
        click.option("--classes", type=click.Path(path_type=Path), help="A class table that is asked before ours."),
        format_option,
        click.option("--timeout", "timeout_s", type=DURATION, metavar="TIME", help="End it after this long, as 10m."),
        click.option("--log-file", type=click.Path(path_type=Path), help="Note every line here too."),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


def split_words(_ctx: click.Context, _option: click.Parameter, values: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a repeatable option that also takes commas."""
    return tuple(word for value in values for word in value.split(",") if word)


def is_terminal() -> bool:
    """Return whether a question can be asked and answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()
