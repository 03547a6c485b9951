"""Is the service well? One place for all probes: before, during and after a backup."""

import socket
import threading

import msgspec

from dce_play.backup.definitions.model import HealthKeys, Module
from dce_play.backup.facts import Health
from dce_play.backup.manifest import Samples
from dce_play.backup.protocols import Engine, Services
from dce_play.backup.service.in_time import Questions, http_answers
from dce_play.errors import DcePlayError
from dce_play.system.process.executor import Command

_SELF_PROBING = frozenset({"postgres", "redis", "vault", "s3", "meilisearch"})
"""Engines that have a probe of their own."""


class Probe:
    """A module's probe."""

    def __init__(self, module: Module, engine: Engine, services: Services) -> None:
        self._module = module
        self._engine = engine
        self._services = services
        self._keys = _effective(module, services)
        self._questions = Questions()

    @property
    def is_none(self) -> bool:
        """Return whether there is nothing that could tell."""
        return self._keys.none is True

    def ask(self) -> Health:
        """Ask once. An answer that is not whole within ``timeout`` is ``unhealthy``."""
        keys = self._keys
        if keys.none:
            return Health.UNKNOWN
        if keys.command:
            return self._command(keys)  # what runs programs ends them in time itself
        return self._questions.ask(lambda: self._answer(keys), within_s=keys.timeout) or Health.UNHEALTHY

    def _answer(self, keys: HealthKeys) -> Health:
        if keys.engine:
            return self._engine.probe(self._module, self._services, timeout_s=keys.timeout)
        if keys.http:
            return _state(http_answers(keys))
        if keys.tcp:
            return _state(_tcp(keys))
        return _state(self._container(keys.container))

    def ask_until_well(self) -> Health:
        """Ask until the answer is not ``unhealthy``, for as long as ``grace`` says."""
        clock = self._services.clock
        deadline = clock.monotonic() + self._keys.grace
        while (answer := self.ask()) is Health.UNHEALTHY and clock.monotonic() < deadline:
            clock.sleep(max(0.05, min(self._keys.interval, deadline - clock.monotonic())))
        return answer

    def sampler(self) -> "Sampler":
        """Return what asks again and again while a block runs."""
        return Sampler(self, every_s=max(0.1, self._keys.interval))

    def _command(self, keys: HealthKeys) -> Health:
        try:
            finished = self._services.executor.run(Command(argv=keys.command, timeout_s=keys.timeout))
        except DcePlayError:
            return Health.UNHEALTHY
        return _state(finished.exit_code == 0)

    def _container(self, wanted: str) -> bool:
        try:
            container = self._services.container(self._module)
        except DcePlayError:
            return False
        if container is None or not container.running or container.paused:
            return False
        return wanted != "healthy" or container.healthy == "healthy"


class Sampler:
    """Counts probes while its block runs, in a thread. A probe that only says ``unknown`` is not repeated."""

    def __init__(self, probe: Probe, *, every_s: float) -> None:
        self._probe = probe
        self._every_s = every_s
        self._stop = threading.Event()
        self._samples = self._failures = 0
        self._thread = threading.Thread(target=self._sample, name="health", daemon=True)

    def __enter__(self) -> "Sampler":  # noqa: PYI034 - a final class
        if not self._probe.is_none:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10.0)

    def counted(self) -> Samples:
        """Return how many probes there were, and how many of them said ``unhealthy``."""
        return Samples(samples=self._samples, failures=self._failures)

    def _sample(self) -> None:
        while not self._stop.wait(self._every_s):
            answer = self._probe.ask()
            self._samples += 1
            self._failures += answer is Health.UNHEALTHY


def _effective(module: Module, services: Services) -> HealthKeys:
    """Return the module's keys with its default filled in."""
    keys = module.keys.health
    if any((keys.engine, keys.http, keys.tcp, keys.command, keys.container, keys.none)):
        return keys
    if module.engine in _SELF_PROBING:
        return msgspec.structs.replace(keys, engine=True)
    if services.container(module) is not None:
        return msgspec.structs.replace(keys, container="running")
    return msgspec.structs.replace(keys, none=True)


def _tcp(keys: HealthKeys) -> bool:
    host, _, port = keys.tcp.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=keys.timeout):
            return True
    except OSError:
        return False


def _state(is_well: bool) -> Health:
    return Health.HEALTHY if is_well else Health.UNHEALTHY
