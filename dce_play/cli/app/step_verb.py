"""A step as a command: its params are the arguments and options, its outputs the JSON, its effects the lock.

``step_command`` makes the click command from the same declaration that gives the playbook's schema and the reference.
What a step's declaration cannot say is handed in: which params come by position, and the lines for people.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from dce_play.cli.app.guarded import guarded, guarded_root
from dce_play.cli.app.verb import (
    ANY_FILE,
    EXISTING_FILE,
    LateProgress,
    complain,
    format_option,
    new_run_id,
    tell,
    writing_options,
)
from dce_play.cli.app.working_folder import working_folder
from dce_play.errors import ExitCode
from dce_play.facts import ItemFacts, Reached
from dce_play.playbook.types.coerce import WrongValue, to_python
from dce_play.playbook.types.shapes import Field, Format, Kind, fields_of
from dce_play.playbook.types.values import plain
from dce_play.plugin import ActionStep, Context, Effects, StepFailed, View
from dce_play.source import JsonValue
from dce_play.system.clock import SystemClock
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import PROCESS

Facts = Mapping[str, Any]
"""A step's outputs by name, as JSON has them, over what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a step's declaration does not say about its command."""

    arguments: tuple[str, ...]
    """The params that come by position, in order; the last may take several values."""
    guards: str
    """The param whose file decides which lock is held."""
    lines: Callable[[Facts], Iterable[str]]
    """What people read on standard output."""


def step_command(step: ActionStep, wording: Wording, *, help: str, short_help: str) -> click.Command:  # noqa: A002 - click's word
    """Return the command that is this step, run once, under the lock that its effects need."""
    params: type = step.Params
    declared = fields_of(params)
    command = click.Command(
        name=step.NAME.rpartition(".")[2].replace("_", "-"),
        callback=partial(_run, step, wording),
        params=[_parameter(each, positional=each.name in wording.arguments) for each in _ordered(declared, wording)],
        help=help,
        short_help=short_help,
    )
    if step.EFFECTS is Effects.ARCHIVE:
        command = writing_options(command)
    return format_option(command)


def declared(params: type, *names: str) -> Callable[[click.Command], click.Command]:
    """Give a command of its own the options that these fields of a step's params are: name, type, default and help."""
    found = {each.name: each for each in fields_of(params)}

    def add(command: click.Command) -> click.Command:
        command.params += [_parameter(found[name], positional=False) for name in names]
        return command

    return add


def _ordered(declared: Sequence[Field], wording: Wording) -> list[Field]:
    by_name = {each.name: each for each in declared}
    return [by_name[name] for name in wording.arguments] + [
        each for each in declared if each.name not in wording.arguments
    ]


def _parameter(each: Field, *, positional: bool) -> click.Parameter:
    shape = each.shape
    many = shape.kind is Kind.LIST
    item = shape.item if many and shape.item is not None else shape
    kind: click.ParamType[Any] = click.STRING
    if item.choices:
        kind = click.Choice([str(each) for each in item.choices])
    elif item.format is Format.PATH:
        kind = EXISTING_FILE if positional else ANY_FILE
    elif item.kind is Kind.INT:
        kind = click.INT
    if positional:
        metavar = f"{each.name.upper().removesuffix('S')}..." if many else None
        return click.Argument([each.name], type=kind, nargs=-1 if many else 1, required=each.required, metavar=metavar)
    names = [each.name, f"--{each.name.replace('_', '-')}"]
    if shape.kind is Kind.BOOL:
        return click.Option(names, is_flag=True, default=bool(each.default), help=each.help)
    default = None if many or each.default is None else each.default
    return click.Option(
        names, type=kind, multiple=many, required=each.required, default=default, show_default=True, help=each.help
    )


def _run(step: ActionStep, wording: Wording, /, **options: Any) -> int:
    output_format: str = options["output_format"]
    dry_run: bool = options.get("dry_run", False)
    folder = working_folder()
    params = _params(step, options, folder)
    guarded_path: Path = getattr(params, wording.guards)
    root: Path | None = options.get("root")
    held: AbstractContextManager[Any] = nullcontext()
    if step.EFFECTS is Effects.ARCHIVE:
        held = guarded(guarded_path, root=root, lock_wait_s=options["lock_wait_s"], dry_run=dry_run)
    view = View(
        clock=SystemClock(),
        environment=os.environ,
        run_id=new_run_id(),
        folder=folder,
        archive_root=guarded_root(guarded_path, root=root),
    )
    failure: StepFailed | None = None
    with held as lock:
        if dry_run:
            outputs: Mapping[str, Any] = step.plan(params, view).outputs
        else:
            try:
                outputs = _named(step.apply(params, _context(view, step, lock)).outputs)
            except StepFailed as error:
                if error.outputs is None:
                    raise
                outputs, failure = _named(error.outputs), error
    facts = {"dry_run": dry_run} | dict(outputs)
    tell(output_format, wording.lines({**options, **facts}), facts)
    if failure is not None:
        raise failure
    return ExitCode.OK


def _params(step: ActionStep, options: Mapping[str, Any], folder: Path) -> Any:
    values = {}
    kind: type = step.Params
    for each in fields_of(kind):
        given = options[each.name]
        if given is None:
            continue
        raw = [_text(part) for part in given] if isinstance(given, tuple) else _text(given)
        try:
            values[each.name] = to_python(raw, each.shape, folder=folder)
        except WrongValue as error:
            raise click.UsageError(f"--{each.name.replace('_', '-')}: {error}") from error
    return kind(**values)


def _text(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _named(outputs: object) -> dict[str, Any]:
    found = plain(outputs)
    return found if isinstance(found, dict) else {}


def _context(view: View, step: ActionStep, lock: Any) -> Context:
    return Context(
        clock=view.clock,
        environment=view.environment,
        run_id=view.run_id,
        folder=view.folder,
        archive_root=view.archive_root,
        executor=LocalExecutor(view.environment, PROCESS),
        reporter=_Reporter(step.NAME.rpartition(".")[2], lock),
        checkpoint=_Forgetful(),
        secrets=_NoSecrets(),
        scratch=view.folder,
        run_folder=view.folder,
        lock_fds=getattr(lock, "fds", ()),
        cancellation=_Never(),
    )


class _Reporter:
    """Tells on standard error what a step says on its way: standard output is for what came of it."""

    def __init__(self, name: str, lock: Any) -> None:
        self._progress = LateProgress(name)
        self._lock = lock

    def say(self, text: str, /) -> None:
        complain(text)

    def note(self, text: str, /) -> None:
        complain(text)

    def progress(self, done: float, total: float | None, unit: str, _reached: Reached | None = None, /) -> None:
        if self._lock is not None:
            self._lock.progressed()
        self._progress(done, total, unit)

    def item(self, key: str, status: str, detail: str = "", facts: ItemFacts | None = None, /) -> None:  # noqa: ARG002
        complain(f"{key}: {status}{f' ({detail})' if detail else ''}")


class _Forgetful:
    """Checkpoints of a command: it is not resumed, so that nothing needs to be kept."""

    def get(self, key: str, /) -> JsonValue:  # noqa: ARG002 - the protocol's signature
        return None

    def put(self, key: str, value: JsonValue, /) -> None:
        """Keep nothing."""


class _NoSecrets:
    """Steps that are commands of the archive need none."""

    def resolve(self, reference: str, /) -> str:
        raise StepFailed(f"this command takes no secret ({reference})")

    def protect(self, secret: str, /) -> None:
        PROCESS.add(secret)


class _Never:
    """A command is stopped by its signal."""

    def is_set(self) -> bool:
        return False
