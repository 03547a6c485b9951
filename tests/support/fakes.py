"""Stand-ins that are handed in: nothing is patched."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dce_play.facts import ItemFacts, Reached
from dce_play.plugin import Context
from dce_play.source import JsonValue
from dce_play.system.process.executor import Executor, LocalExecutor
from dce_play.system.redact import Masker


class FakeClock:
    """A clock that stands still until someone sleeps. Safe to use from several threads."""

    def __init__(self, start: datetime = datetime(2026, 11, 21, 1, 15, 7, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._lock = threading.Lock()
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.sleeps.append(seconds)
            self._elapsed_s += seconds

    def advance(self, seconds: float) -> None:
        """Let time pass without anyone having slept."""
        with self._lock:
            self._elapsed_s += seconds


class FakeReporter:
    """Keeps what a step says."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.items: list[tuple[str, str, str]] = []

    def say(self, text: str, /) -> None:
        self.said.append(text)

    def note(self, text: str, /) -> None:
        self.said.append(text)

    def progress(self, done: float, total: float | None, unit: str, reached: Reached | None = None, /) -> None:
        pass

    def item(self, key: str, status: str, detail: str = "", _facts: ItemFacts | None = None, /) -> None:
        self.items.append((key, status, detail))


class FakeCheckpoint:
    """Remembers for as long as it lives."""

    def __init__(self) -> None:
        self.values: dict[str, JsonValue] = {}

    def get(self, key: str, /) -> JsonValue:
        return self.values.get(key)

    def put(self, key: str, value: JsonValue, /) -> None:
        self.values[key] = value


class FakeSecrets:
    """Knows the secrets it is given, by reference."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        self.protected: list[str] = []

    def resolve(self, reference: str, /) -> str:
        return self._known[reference]

    def protect(self, secret: str, /) -> None:
        self.protected.append(secret)


def make_context(
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    executor: Executor | None = None,
    archive_root: Path | None = None,
    lock_fds: tuple[int, ...] = (),
) -> tuple[Context, FakeReporter]:
    """Return what a step is given, with its scratch and run folders below ``folder``; programs really run."""
    environment = environment or {"PATH": "/usr/bin:/bin"}
    reporter = FakeReporter()
    scratch = folder / "run" / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    context = Context(
        clock=FakeClock(),
        environment=environment,
        run_id="run-1",
        folder=folder,
        archive_root=archive_root,
        executor=executor or LocalExecutor(environment, Masker()),
        reporter=reporter,
        checkpoint=FakeCheckpoint(),
        secrets=FakeSecrets(secrets or {}),
        scratch=scratch,
        run_folder=folder / "run",
        lock_fds=lock_fds,
        cancellation=threading.Event(),
    )
    return context, reporter
