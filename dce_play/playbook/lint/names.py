"""Rules about what steps are called: ids are made from names, and a resume finds steps by id."""

from collections.abc import Iterable, Iterator

from dce_play.playbook.language.model import Block, Include, Literal, Playbook, Statement, StepCall
from dce_play.playbook.load.library import Library
from dce_play.source import Problem, Severity, Span


def names(playbook: Playbook, _library: Library) -> Iterator[Problem]:
    """Yield W401 and W402."""
    for body in (playbook.preflight, playbook.steps):
        yield from _siblings(body)


def _siblings(body: Iterable[Statement]) -> Iterator[Problem]:
    statements = list(body)
    told: set[str] = set()
    seen: dict[str, Span] = {}
    for statement in statements:
        name = statement.keywords.name
        again = _is_anonymous(statement) and _kind(statement) in told
        told.update({_kind(statement)} if _is_anonymous(statement) else ())
        if again or (_is_anonymous(statement) and isinstance(statement, Block)):
            message = f"nothing tells this {_kind(statement)} from another, so its id may change"
            yield _warning("W401", message, statement.span, hint="give it a name")
        if isinstance(name, Literal) and isinstance(name.value, str):
            if name.value in seen:
                related = (("the first one", seen[name.value]),)
                yield _warning("W402", f'two steps are called "{name.value}"', name.span, related=related)
            seen.setdefault(name.value, name.span)
        if isinstance(statement, Block):
            yield from _siblings((*statement.body, *statement.rescue, *statement.always))


def _is_anonymous(statement: Statement) -> bool:
    return statement.keywords.name is None and statement.keywords.register is None


def _kind(statement: Statement) -> str:
    match statement:
        case StepCall():
            return statement.step
        case Block():
            return "block"
        case Include():
            return f"{statement.kind} {statement.target}"


def _warning(
    rule: str, message: str, span: Span, *, hint: str = "", related: tuple[tuple[str, Span], ...] = ()
) -> Problem:
    return Problem(rule=rule, message=message, span=span, severity=Severity.WARNING, hint=hint, related=related)
