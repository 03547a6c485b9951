"""The texts written in an expression that can be its value: those in the arms of ``a if c else b``, and of ``or``.

Imported only when there is an expression to look at, since Jinja takes 60 ms to import.
"""

from collections.abc import Iterator

from jinja2 import TemplateSyntaxError, nodes

from dce_play.playbook.expressions.sandbox import OutOfBounds, parse


def possible_texts(text: str) -> tuple[tuple[str, int], ...]:
    """Return each text that may come out as it stands, with its offset; nothing for what does not parse."""
    try:
        return tuple(_texts(parse(text)))
    except (TemplateSyntaxError, OutOfBounds):
        return ()


def _texts(node: nodes.Node) -> Iterator[tuple[str, int]]:
    match node:
        case nodes.Const(value=str(value)):
            yield value, node.lineno
        case nodes.CondExpr():
            yield from _texts(node.expr1)
            if node.expr2 is not None:
                yield from _texts(node.expr2)
        case nodes.Or():
            yield from _texts(node.left)
            yield from _texts(node.right)
        case _:
            return
