"""What a step sees of the steps before it: a window on the run's one list of records, which nobody copies."""

from collections.abc import Sequence
from typing import overload

from dce_play.plugin import StepRecord


class SoFar(Sequence[StepRecord]):
    """The records that there were when it was made. One of them may later say ``rescued`` instead of ``failed``."""

    __slots__ = ("_count", "_records")

    def __init__(self, records: list[StepRecord]) -> None:
        """``records`` may grow, and no record leaves it or moves."""
        self._records = records
        self._count = len(records)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> StepRecord: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[StepRecord]: ...

    def __getitem__(self, index: int | slice) -> StepRecord | Sequence[StepRecord]:
        where = range(self._count)[index]
        return tuple(self._records[each] for each in where) if isinstance(where, range) else self._records[where]
