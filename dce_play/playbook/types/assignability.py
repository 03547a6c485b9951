"""Whether a value of one shape can be given where another is wanted."""

from dce_play.playbook.types.shapes import Format, Kind, Shape, describe, with_article


def why_not_assignable(given: Shape, wanted: Shape, /, *, optional: bool = False) -> str | None:
    """Return why the value cannot be given there, or ``None``.

    ``optional``: a null there means the default.
    """
    if Kind.ANY in {given.kind, wanted.kind}:
        return None
    if given.nullable and not wanted.nullable and not optional:
        what = "null is not" if given.kind is Kind.NULL else "this may be null, and not"
        return f"{what} {_article(wanted)}; declare a default or required: true"
    if given.kind is Kind.NULL or _same_kind(given, wanted):
        return _within(given, wanted)
    becomes_text = wanted.kind is Kind.STR and not wanted.choices and given.kind in {Kind.INT, Kind.FLOAT, Kind.BOOL}
    hint = "; use | string" if becomes_text else ""
    return f"{_article(given)} is not {_article(wanted)}{hint}"


def _same_kind(given: Shape, wanted: Shape) -> bool:
    texts = {Kind.STR, Kind.SECRET}
    return (
        given.kind is wanted.kind
        or (wanted.kind is Kind.FLOAT and given.kind is Kind.INT)
        or (wanted.format in {Format.DURATION, Format.SIZE} and given.kind is Kind.STR)
        or (given.kind in texts and wanted.kind in texts)
    )


def _within(given: Shape, wanted: Shape) -> str | None:
    if given.choices and wanted.choices and not set(given.choices) & set(wanted.choices):
        return f"{describe(given)} is never {describe(wanted)}"
    if given.kind is Kind.LIST and given.item is not None and wanted.item is not None:
        return why_not_assignable(given.item, wanted.item)
    return None


def _article(shape: Shape) -> str:
    return with_article(describe(shape))
