"""What a benchmark may cost: ``budgets.tsv``, and how a measurement stands to it.

A row has the benchmark, what is measured, the unit, the budget and the goal. What is over its budget fails the
benchmark, and so `inv bench`; a goal that is not reached is only told. Budgets are ratios to something measured in the
same run wherever that can be, as milliseconds say more of the machine and its neighbours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BUDGETS = Path(__file__).with_name("budgets.tsv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one row of one benchmark may cost."""

    unit: str
    budget: float
    goal: float


def budgets_of(benchmark: str, table: str) -> dict[str, Budget]:
    """Return the budgets of a benchmark, by what is measured."""
    rows = (line.split("\t") for line in table.splitlines()[1:])
    return {
        name: Budget(unit=unit, budget=float(budget), goal=float(goal))
        for of, name, unit, budget, goal in rows
        if of == benchmark
    }


def judged(measured: Mapping[str, float], budgets: Mapping[str, Budget]) -> tuple[list[str], bool]:
    """Return a line for each measurement that has a budget, and whether every budget was measured and kept."""
    lines, kept = [], True
    for name, budget in budgets.items():
        value = measured.get(name)
        if value is None:
            word = "NOT MEASURED"
        elif value > budget.budget:
            word = "OVER BUDGET"
        else:
            word = "ok" if value <= budget.goal else "misses its goal"
        kept = kept and value is not None and value <= budget.budget
        seen = "-" if value is None else f"{value:.2f}"
        lines.append(f"{name:<26} {seen:>7} {budget.unit:<20} budget {budget.budget:g}, goal {budget.goal:g}: {word}")
    return lines, kept


def hold(benchmark: str, measured: Mapping[str, float]) -> None:
    """Print how the measurements stand to their budgets.

    Raises: SystemExit, when one is over its budget or was not measured.
    """
    lines, kept = judged(measured, budgets_of(benchmark, BUDGETS.read_text(encoding="utf-8")))
    print("\n".join(["", *lines]))
    if not kept:
        raise SystemExit(1)
