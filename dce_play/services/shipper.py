"""A shipper put together: its lock, its folders checked, and one pass or passes until it is told to stop."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.clock import Clock, SystemClock
from dce_play.system.lock.file_lock import FileBusy, open_locked
from dce_play.system.redact import Masker
from dce_play.system.sd_notify import Notifier, notifier_from
from dce_play.transfer.sending.attempt import Attempt, Result
from dce_play.transfer.sending.backoff import Backoff
from dce_play.transfer.sending.bandwidth import Pacer
from dce_play.transfer.sending.connection.answer import Answer
from dce_play.transfer.sending.connection.client import Client
from dce_play.transfer.sending.connection.delivery import Delivery
from dce_play.transfer.sending.episodes.folders import check_folders
from dce_play.transfer.sending.episodes.pack import Packer
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.log_lines import Level, ShipLog
from dce_play.transfer.sending.metrics import Metrics
from dce_play.transfer.sending.packs import Packs
from dce_play.transfer.sending.settings import ShipConfig
from dce_play.transfer.sending.ship_pass import Passes, PassResult, moment_heard
from dce_play.transfer.sending.state import Heard, StateFile
from dce_play.transfer.sending.tools import Tools

_LOCK_TRIES = 10
_LOCK_PAUSE_S = 0.05
_FEED_S = 1.0


class AnotherShipper(DcePlayError):
    """Another process ships from this data folder."""

    exit_code: ClassVar[ExitCode] = ExitCode.LOCKED

    def __init__(self, path: Path, option: str) -> None:
        super().__init__(f"another shipper has {path} locked", hint=f"see it with: dce-play ship status {option}")


class Stopped(Exception):
    """The shipper was told to stop while bytes moved. What it did is picked up by the next pass."""


class Stopper:
    """Whether to stop, and the beat of bytes that feeds the watchdog. Threads share it."""

    def __init__(self, notifier: Notifier, cancelled: Callable[[], bool] = lambda: False) -> None:
        self.event = threading.Event()
        self._cancelled = cancelled
        self._notifier = notifier
        self._fed_at = 0.0

    def moved(self, count: int) -> None:
        """Take note of bytes that moved.

        Raises: Stopped.
        """
        if self.event.is_set() or self._cancelled():
            raise Stopped
        now = time.monotonic()
        if count and now - self._fed_at >= _FEED_S:
            self._fed_at = now
            self._notifier.watchdog()


class Shipper:
    """One process that ships from one data folder, made by ``open_shipper``."""

    def __init__(self, tools: Tools, passes: Passes, client: Client, stopper: Stopper, notifier: Notifier) -> None:
        self.tools = tools
        self._passes = passes
        self._client = client
        self._stopper = stopper
        self._notifier = notifier
        self._metrics = Metrics(tools)

    def once(self) -> PassResult:
        """Make one pass, now, whatever waits."""
        return self._pass(obey=False)

    def run(self) -> None:
        """Make passes until SIGTERM or SIGINT."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        config = self.tools.config
        self.tools.spool.list_episodes()
        self._notifier.ready("queue built")
        try:
            while not self._stopper.event.is_set():
                self._try_pass()
                self._stopper.event.wait(config.scan_interval_s)
        except Stopped:
            pass
        finally:
            self._notifier.stopping()
            self.tools.state.save()

    def _try_pass(self) -> None:
        """Make a pass; what the disk refuses ends the pass, not the service, and does not feed the watchdog."""
        try:
            done = self._pass(obey=True)
        except (OSError, FileBusy) as error:
            self.tools.log.event("ship.pass_failed", Level.ERROR, why=error)
            return
        self._notifier.watchdog()
        self._notifier.status(_status_line(done))

    def _pass(self, *, obey: bool) -> PassResult:
        done = self._passes.once(obey=obey)
        try:
            self._metrics.write()
        except OSError as error:
            self.tools.log.event("ship.metrics_failed", Level.WARNING, why=error.strerror)
        return done

    def _stop(self, _signal: int, _frame: object) -> None:
        if not self._stopper.event.is_set():
            self._notifier.stopping()
        self._stopper.event.set()
        self._client.interrupt(Stopped())


@contextmanager
def open_shipper(
    config: ShipConfig,
    *,
    environment: Mapping[str, str],
    clock: Clock | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    on_result: Callable[[Result], None] = lambda _: None,
) -> Iterator[Shipper]:
    """Check folders, TLS files and token, take the data folder's lock, and give a shipper that holds it.

    ``cancelled`` is asked while bytes move; ``on_result`` is told of each episode as its try ends.

    Raises: BadFolder; BadTlsFile; NoReceiverToken; AnotherShipper.
    """
    clock = clock or SystemClock()
    masker = Masker()
    spool = Spool(config)
    check_folders(config, spool)
    with _locked(spool.private / "lock", config.option):
        notifier = notifier_from(environment)
        stopper = Stopper(notifier, cancelled)
        state = StateFile(spool.private)

        def heard(answer: Answer) -> None:
            offset = moment_heard(answer, clock.now())
            if offset is not None:
                with state.lock:
                    state.state.heard = Heard(offset_s=round(offset, 0), at=round(clock.now().timestamp(), 0))

        client = Client(config, environment=environment, masker=masker, heard=heard)
        tools = Tools(
            config=config,
            spool=spool,
            state=state,
            backoff=Backoff(config, state, now=lambda: clock.now().timestamp()),
            log=stderr_log(config, masker, environment),
            clock=clock,
            moved=stopper.moved,
        )
        pacer = Pacer(config.bandwidth_limit, clock=clock, local=_local_time)
        attempt = Attempt(
            tools,
            packs=Packs(tools, Packer(level=config.zstd_level, threads=config.zstd_threads)),
            delivery=Delivery(tools, client, pacer),
        )
        try:
            passes = Passes(tools, attempt=attempt, client=client, on_result=on_result)
            yield Shipper(tools, passes, client, stopper, notifier)
        finally:
            client.close()


def stderr_log(config: ShipConfig, masker: Masker, environment: Mapping[str, str]) -> ShipLog:
    """Return the log on standard error; under journald each line begins with its priority."""
    level = Level[config.log_level.upper()]
    return ShipLog(
        _write_to_stderr(), masker=masker, clock=SystemClock(), level=level, journal="JOURNAL_STREAM" in environment
    )


def _write_to_stderr() -> Callable[[str], None]:
    lock = threading.Lock()

    def write(line: str) -> None:
        with lock:
            sys.stderr.write(line)
            sys.stderr.flush()

    return write


@contextmanager
def _locked(path: Path, option: str) -> Iterator[None]:
    # A few tries: `ship status` may just be looking.
    for _ in range(_LOCK_TRIES):
        descriptor = open_locked(path, os.O_RDWR | os.O_CREAT)
        if descriptor is not None:
            break
        time.sleep(_LOCK_PAUSE_S)
    else:
        raise AnotherShipper(path, option)
    try:
        yield
    finally:
        os.close(descriptor)


def _status_line(done: PassResult) -> str:
    if done.paused:
        return f"waiting: {done.paused}; {done.new + done.packed} to send"
    return f"{done.new + done.packed} seen, {done.waiting} not ready"


def _local_time() -> datetime:
    return datetime.now().astimezone()
