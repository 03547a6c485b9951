"""Rules about what steps do to the world: lock, preflight, timeouts, retries, dry run."""

from collections.abc import Iterator

from dce_play.playbook.check.contents import statements
from dce_play.playbook.language.model import Block, Include, Lock, Playbook, Statement, StepCall
from dce_play.playbook.load.library import Library
from dce_play.playbook.types.shapes import signature
from dce_play.plugin import Effects, StepInfo
from dce_play.source import Problem, Severity

_LOOKING = frozenset({Effects.NONE, Effects.REMOTE})
"""What a preflight step may do: read here, and ask others."""


def effects(playbook: Playbook, library: Library) -> Iterator[Problem]:
    """Yield E116, W411, W412 and W431."""
    if playbook.lock is Lock.NONE and playbook.lock_span is not None:
        writer = next(steps_with(Effects.ARCHIVE, (*playbook.preflight, *playbook.steps), playbook, library), None)
        if writer is not None:
            message = f'lock is none, but "{writer.step}" may write an archive'
            yield Problem(
                rule="E116",
                message=message,
                span=playbook.lock_span,
                hint="write lock: archive, or leave lock out",
                related=(("here", writer.span),),
            )
    for statement in all_uses(playbook.preflight, playbook, library):
        step = library.steps[statement.step]
        if step.EFFECTS not in _LOOKING:
            message = f'"{statement.step}" does something, and preflight only looks'
            yield Problem(rule="E116", message=message, span=statement.span, hint="move it to steps")
    yield from _network(playbook.steps, library, timed=False)


def _network(body: tuple[Statement, ...], library: Library, *, timed: bool) -> Iterator[Problem]:
    for statement in body:
        keywords = statement.keywords
        has_timeout = timed or keywords.timeout is not None
        if isinstance(statement, Block):
            yield from _network((*statement.body, *statement.rescue, *statement.always), library, timed=has_timeout)
        if not isinstance(statement, StepCall) or statement.step not in library.steps:
            continue
        if statement.step in library.broken:
            continue
        step = library.steps[statement.step]
        bounded = has_timeout or "timeout" in signature(step).params
        if step.EFFECTS is Effects.REMOTE and not bounded:
            yield _warning("W411", f'"{statement.step}" may wait for ever', statement, hint="add timeout: 10m")
        if step.EFFECTS is Effects.REMOTE and keywords.retries is None and not keywords.until:
            yield _warning("W412", f'"{statement.step}" fails at the first hiccup', statement, hint="add retries: 3")
        if step.EFFECTS is not Effects.NONE and not hasattr(step, "plan"):
            yield _warning("W431", f'a dry run cannot tell what "{statement.step}" would do', statement)


def _warning(rule: str, message: str, statement: StepCall, *, hint: str = "") -> Problem:
    return Problem(rule=rule, message=message, span=statement.span, severity=Severity.WARNING, hint=hint)


def steps_with(
    wanted: Effects, body: tuple[Statement, ...], playbook: Playbook, library: Library
) -> Iterator[StepCall]:
    """Yield every use of a step with exactly these effects, those of roles and included playbooks too."""
    for statement in all_uses(body, playbook, library):
        step: StepInfo = library.steps[statement.step]
        if step.EFFECTS is wanted:
            yield statement


def all_uses(
    body: tuple[Statement, ...], playbook: Playbook, library: Library, *, depth: int = 0
) -> Iterator[StepCall]:
    """Yield every use of a known step, those of roles and included playbooks too."""
    for statement in statements(body):
        if isinstance(statement, StepCall) and statement.step in library.steps:
            yield statement
        elif isinstance(statement, Include) and depth < 20:  # deeper only when one runs itself, a problem of its own
            found = library.find(statement, playbook.path.parent)
            if not isinstance(found, Problem):
                child = library.load(found, statement.kind).playbook
                yield from all_uses((*child.preflight, *child.steps), child, library, depth=depth + 1)
