"""Every bound on what others hand us: how much it is, where it is enforced, and which test meets it.

The numbers stay beside the code that enforces them; a row names the place (``module:name``), and ``page`` reads them
there for docs/reference/bounds.md. Nothing is imported for the table itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

_TESTS = "tests/unit/"
_EXPRESSIONS = "playbook/expressions/test_bounds.py::"
_TOO_LARGE = f"{_EXPRESSIONS}test_what_would_be_too_large_is_refused_at_once"
_PLAN = "playbook/plan/test_planning.py::test_a_plan_over_its_bound_is_an_error_where_the_bound_is_met"
_CHAIN = "playbook/plan/test_planning.py::test_a_long_chain_of_includes_is_a_problem_with_its_place"
_TEXTS = "playbook/evaluate/test_binding.py::test_a_text_made_of_large_parts_is_refused"
_LEVELS = "playbook/plan/test_planning.py::test_blocks_and_files_too_deep_in_each_other_are_a_problem"
_TRAILER = (
    "discord/archive/salvage/test_salvage.py::"
    "test_a_trailer_nested_too_deep_ends_neither_its_own_salvage_nor_the_others"
)
_FIFO = "system/durable/test_named_outputs.py::test_a_fifo_that_nobody_reads_is_an_error_after_a_while"
_DOCUMENT = "playbook/document/test_document.py::"


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound. ``place`` is ``module:name`` below ``dce_play``, ``test`` below ``tests/unit``."""

    what: str
    unit: str
    place: str
    test: str

    @property
    def amount(self) -> float:
        """Return the number, from where it is enforced."""
        module, _, name = self.place.partition(":")
        value: float = getattr(import_module(f"dce_play.{module}"), name)
        return value


_E = "playbook.expressions.bounds:"
BOUNDS = (
    Bound(
        "a playbook, role or targets file",
        "bytes",
        "playbook.document.document:MAX_BYTES",
        f"{_DOCUMENT}test_of_a_file_without_end_only_the_beginning_is_read",
    ),
    Bound(
        "lists and mappings inside each other in a file",
        "levels",
        "playbook.document.compose:MAX_DEPTH",
        f"{_DOCUMENT}test_a_file_nested_without_end_is_refused",
    ),
    Bound(
        "values in a file",
        "values",
        "playbook.document.compose:MAX_NODES",
        f"{_DOCUMENT}test_a_file_of_too_many_values_is_refused",
    ),
    Bound(
        "values that aliases add to a file",
        "values",
        "playbook.document.compose:MAX_ALIASED_NODES",
        f"{_DOCUMENT}test_an_alias_bomb_is_refused_quickly",
    ),
    Bound("steps, blocks and files of a plan", "nodes", "playbook.plan.planning:MAX_NODES", _PLAN),
    Bound("files that include each other in a row", "files", "playbook.plan.planning:MAX_INCLUDES", _CHAIN),
    Bound("blocks and files inside each other", "levels", "playbook.plan.planning:MAX_LEVELS", _LEVELS),
    Bound(
        "an expression",
        "characters",
        f"{_E}MAX_LENGTH",
        f"{_EXPRESSIONS}test_an_expression_that_is_too_long_is_refused",
    ),
    Bound(
        "operators, filters and brackets inside each other",
        "levels",
        f"{_E}MAX_DEPTH",
        f"{_EXPRESSIONS}test_a_chain_that_is_too_deep_is_refused_with_its_place",
    ),
    Bound("a text in an expression", "characters", f"{_E}MAX_TEXT", _TOO_LARGE),
    Bound("a text with expressions in it", "characters", "playbook.evaluate.binding:MAX_TEXT", _TEXTS),
    Bound("a list in an expression", "items", f"{_E}MAX_ITEMS", _TOO_LARGE),
    Bound(
        "values inside one value",
        "values",
        f"{_E}MAX_VALUES",
        f"{_EXPRESSIONS}test_a_value_that_refers_to_one_part_many_times_counts_it_each_time",
    ),
    Bound("lists and mappings inside each other in a value", "levels", f"{_E}MAX_NESTING", _TOO_LARGE),
    Bound("a whole number", "bits", f"{_E}MAX_BITS", _TOO_LARGE),
    Bound("an exponent", "", f"{_E}MAX_EXPONENT", _TOO_LARGE),
    Bound("digits that round takes", "digits", f"{_E}MAX_PRECISION", _TOO_LARGE),
    Bound("a range", "numbers", f"{_E}MAX_RANGE", _TOO_LARGE),
    Bound(
        "what all filters of one evaluation make",
        "characters and items",
        f"{_E}MAX_WORK",
        f"{_EXPRESSIONS}test_work_adds_up_over_one_evaluation_and_begins_anew_with_the_next",
    ),
    Bound("brackets inside each other in a channel file", "levels", "discord.archive.scan.tokens:MAX_DEPTH", _TRAILER),
    Bound(
        "what http.check reads of an answer",
        "bytes",
        "steps.host.http_check:LONGEST_BODY_BYTES",
        "steps/host/test_http_check.py::test_no_more_than_a_mebibyte_is_read",
    ),
    Bound("a FIFO without a reader is waited for", "s", "system.durable.named_outputs:FIFO_PATIENCE_S", _FIFO),
)
"""In the order of the page."""


def page() -> str:
    """Return docs/reference/bounds.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Bounds"
    yield ""
    yield "What others hand us is bounded, and a refusal says where. This page is made from `dce_play/bounds.py`,"
    yield "which reads each number where it is enforced: `python -m dce_play.bounds > docs/reference/bounds.md`."
    yield ""
    yield "| what | at most | enforced by | met by |"
    yield "| --- | --- | --- | --- |"
    for bound in BOUNDS:
        amount = f"{bound.amount:,.0f} {bound.unit}".strip().replace(",", " ")
        name = bound.place.replace(":", ".")
        yield f"| {bound.what} | {amount} | `{name}` | `{_TESTS}{bound.test}` |"


def _main() -> None:
    import sys

    sys.stdout.write(page())


if __name__ == "__main__":
    _main()
