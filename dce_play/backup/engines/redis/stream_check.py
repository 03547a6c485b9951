"""Level 2 of a snapshot by itself: ``redis-check-rdb`` reads it to its end, and its keys are those of the manifest."""

from collections.abc import Mapping
from contextlib import ExitStack

from dce_play.backup.engines.redis.checked import RdbContents, rdb_probe
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Container, Services
from dce_play.source import JsonValue


class StreamCheck:
    """A sink that checks an RDB. With ``expected``, a manifest's counts, it also compares."""

    def __init__(
        self,
        services: Services,
        *,
        container: Container | None = None,
        expected: Mapping[str, JsonValue] | None = None,
    ) -> None:
        self._open = ExitStack()
        self._probe = self._open.enter_context(rdb_probe(services, container))
        self._expected = expected

    def write(self, data: "bytes | memoryview", /) -> None:
        self._probe.write(bytes(data))

    def finish(self) -> None:
        with self._open:
            compare_contents(self._probe.finish(), self._expected)

    def abort(self) -> None:
        self._open.close()


def compare_contents(contents: RdbContents, expected: Mapping[str, JsonValue] | None) -> None:
    """Compare what an RDB holds with a manifest's counts.

    Raises: BackupError (``verify-failed``).
    """
    for what, found in contents.counts().items():
        if expected is not None and what in expected and expected[what] != found:
            raise BackupError(ErrorId.VERIFY_FAILED, f"the RDB has {what} {found}, its manifest says {expected[what]}")
