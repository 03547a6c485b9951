"""Budgets of benchmarks: what is over one fails the benchmark, what misses its goal is told."""

from benchmarks.budget import BUDGETS, Budget, budgets_of, judged

BUDGET = Budget(unit="ms", budget=2.0, goal=1.0)


def test_what_is_over_its_budget_or_was_not_measured_fails() -> None:
    for measured, word, kept in (
        ({"start": 0.5}, "ok", True),
        ({"start": 1.5}, "misses its goal", True),
        ({"start": 2.5}, "OVER BUDGET", False),
        ({}, "NOT MEASURED", False),
    ):
        lines, held = judged(measured, {"start": BUDGET})
        assert held is kept
        assert [line.rpartition(": ")[2] for line in lines] == [word]


def test_each_row_of_the_table_belongs_to_a_benchmark_that_there_is() -> None:
    table = BUDGETS.read_text(encoding="utf-8")
    named = {line.split("\t")[0] for line in table.splitlines()[1:]}
    assert all(BUDGETS.with_name(f"bench_{name}.py").is_file() for name in named)
    assert all(each.goal <= each.budget for name in named for each in budgets_of(name, table).values())
