"""Level 2 of a dump as SQL: it is whole from its first statement to its end mark, and holds what the manifest says."""

from collections.abc import Mapping

from dce_play.backup.engines.postgres.dump.record import DumpCounter, DumpRecord
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.source import JsonValue


class SqlCheck:
    """A sink that counts a dump. With ``expected``, a manifest's counts, it also compares."""

    def __init__(self, expected: Mapping[str, JsonValue] | None = None) -> None:
        self._counter = DumpCounter()
        self._expected = expected

    def write(self, data: "bytes | memoryview", /) -> None:
        self._counter.feed(bytes(data))

    def finish(self) -> None:
        compare_record(self._counter.finish(), self._expected)

    def abort(self) -> None:
        """Nothing is held."""


def compare_record(record: DumpRecord, expected: Mapping[str, JsonValue] | None) -> None:
    """Compare what a dump holds with a manifest's counts.

    Raises: BackupError: ``truncated`` when it is not whole, ``verify-failed`` when it holds something else.
    """
    if record.flaw:
        raise BackupError(ErrorId.TRUNCATED, f"the dump is not whole: {record.flaw}")
    for what, found in record.counts().items():
        if expected is not None and what in expected and expected[what] != found:
            raise BackupError(ErrorId.VERIFY_FAILED, f"the dump has {found} {what}, its manifest says {expected[what]}")
