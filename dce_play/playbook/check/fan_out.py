"""Rules about loops whose items are runs of their own: nobody can be asked there, and each may need the lock itself."""

from collections.abc import Iterator

from dce_play.playbook.check.contents import statements
from dce_play.playbook.check.effects import all_uses, steps_with
from dce_play.playbook.language.model import Playbook, Statement
from dce_play.playbook.load.library import Library
from dce_play.plugin import Effects
from dce_play.source import Problem, Severity

_ASKS = "pause.confirm"


def fan_out(playbook: Playbook, library: Library) -> Iterator[Problem]:
    """Yield E119 and W413."""
    body = (*playbook.preflight, *playbook.steps)
    for loop in statements(body):
        if loop.keywords.fan_out:
            yield from _asks(loop, playbook, library)
            yield from _shares_the_lock(loop, body, playbook, library)


def _asks(loop: Statement, playbook: Playbook, library: Library) -> Iterator[Problem]:
    """Yield a problem for each question: an item may run where nobody is."""
    hint = "ask in a step before the loop"
    for each in statements((loop,)):
        if each.keywords.confirm is not None:
            message = "nobody can be asked in a loop with fan_out"
            yield Problem(rule="E119", message=message, span=each.keyword_spans["confirm"], hint=hint)
    for use in all_uses((loop,), playbook, library):
        if use.step == _ASKS:
            message = f'"{_ASKS}" asks, and nobody can be asked in a loop with fan_out'
            yield Problem(rule="E119", message=message, span=loop.keyword_spans["fan_out"], hint=hint)


def _shares_the_lock(
    loop: Statement, body: tuple[Statement, ...], playbook: Playbook, library: Library
) -> Iterator[Problem]:
    """Yield a warning where steps write the archive in the loop and beside it, under what looks like one lock."""
    inside = {use.span for use in steps_with(Effects.ARCHIVE, (loop,), playbook, library)}
    writers = steps_with(Effects.ARCHIVE, body, playbook, library)
    outside = next((use for use in writers if use.span not in inside), None)
    if inside and outside is not None:
        yield Problem(
            rule="W413",
            message="on a cluster each item takes the archive's lock itself, so another run may come before the loop",
            span=loop.keyword_spans["fan_out"],
            severity=Severity.WARNING,
            hint="keep what must not be parted in one item",
            related=((f'"{outside.step}" writes outside of the loop', outside.span),),
        )
