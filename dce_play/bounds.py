"""Every bound on what others hand us: how much it is, where it is enforced, and which test meets it.

The numbers stay beside the code that enforces them; a row of ``bounds.tsv`` names the place, and ``page`` reads the
number there for docs/reference/bounds.md. Nothing is imported for the table itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files

from dce_play.transfer.receiving.config_keys import KEYS


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound."""

    part: str
    what: str
    unit: str
    place: str
    """``module:NAME`` below ``dce_play``; ``module:Class.field`` is a field's default."""
    test: str
    """Below ``tests``: the one that hands over the bound, and more."""

    @property
    def amount(self) -> float:
        """Return the number, from where it is enforced."""
        module, _, name = self.place.partition(":")
        owner = import_module(f"dce_play.{module}")
        type_name, _, field = name.rpartition(".")
        value: float = getattr(getattr(owner, type_name)() if type_name else owner, field)
        return value


def all_bounds() -> tuple[Bound, ...]:
    """Return the bounds in the order of the page."""
    found: list[Bound] = []
    part = ""
    for line in files("dce_play").joinpath("bounds.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            part = line.removeprefix("== ")
        elif not line.startswith("#"):
            what, unit, place, *test = line.split("\t")
            found.append(Bound(part, what, unit, place, "".join(test)))
    return tuple(found)


def page() -> str:
    """Return docs/reference/bounds.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Bounds"
    yield ""
    yield "What others hand us is bounded, and a refusal says where. This page is made from `dce_play/bounds.tsv`,"
    yield "with each number read where it is enforced: `python -m dce_play.bounds > docs/reference/bounds.md`. Each is"
    yield "met by a test, without which the suite fails."
    part = ""
    for bound in all_bounds():
        if bound.part != part:
            part = bound.part
            yield from ("", f"## {part}", "", "| what | at most | enforced by | met by |", "| --- | --- | --- | --- |")
        amount = f"{bound.amount:,g}" if bound.amount < 1e5 else f"{bound.amount:,.0f}"
        name = bound.place.replace(":", ".")
        limit = f"{amount} {bound.unit}".strip().replace(",", " ")
        yield f"| {bound.what} | {limit} | `{name}` | `tests/{bound.test}` |"
    yield from ("", "## What a receiver's operator sets", "", "| key of `receive.toml` | what | default |")
    yield "| --- | --- | --- |"
    for key in KEYS:
        if key.name.startswith("limits."):
            yield f"| `{key.name}` | {key.help} | {key.default} |"


def _main() -> None:
    import sys

    sys.stdout.write(page())


if __name__ == "__main__":
    _main()
