"""What all requests of one receiver share."""

import asyncio
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

from dce_play.services.receiver.tally import Tally
from dce_play.transfer.receiving.config import ReceiveConfig
from dce_play.transfer.receiving.gate import Gate, GateView
from dce_play.transfer.receiving.storage import Storage
from dce_play.transfer.receiving.tokens import Tokens

P = ParamSpec("P")
T = TypeVar("T")


class Slots:
    """How many uploads run, in all and by host, and how many bytes they will bring. Only for the event loop."""

    def __init__(self) -> None:
        self.by_host: dict[str, int] = {}
        self.bytes_by_host: dict[str, int] = {}

    @property
    def total(self) -> int:
        return sum(self.by_host.values())

    @property
    def bytes(self) -> int:
        return sum(self.bytes_by_host.values())

    def take(self, host: str, size: int) -> Callable[[], None]:
        """Count one more; return what gives it back."""
        self._add(host, 1, size)
        return functools.partial(self._add, host, -1, -size)

    def _add(self, host: str, count: int, size: int) -> None:
        self.by_host[host] = self.by_host.get(host, 0) + count
        self.bytes_by_host[host] = self.bytes_by_host.get(host, 0) + size
        if not self.by_host[host]:
            del self.by_host[host], self.bytes_by_host[host]


class ReceiverContext:
    """The store, the tokens, the gate and the numbers, and the threads for all that blocks."""

    def __init__(
        self, config: ReceiveConfig, *, storage: Storage, tokens: Tokens, gate: Gate, tally: Tally, version: str
    ) -> None:
        self.config = config
        self.storage = storage
        self.tokens = tokens
        self.gate = gate
        self.tally = tally
        self.version = version
        self.slots = Slots()
        self.stopping = False
        self._quick = ThreadPoolExecutor(max_workers=8, thread_name_prefix="quick")
        self._bodies = ThreadPoolExecutor(max_workers=config.limits.max_inflight, thread_name_prefix="body")
        self._gate_lock = asyncio.Lock()

    async def quick(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a short call that may block, in a thread."""
        bound = functools.partial(call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._quick, bound)

    def in_body_thread(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
        """Begin a call that lasts as long as a body, in a thread; there is one for each upload that may run."""
        bound = functools.partial(call, *args, **kwargs)
        return asyncio.get_running_loop().run_in_executor(self._bodies, bound)

    async def judge(self, commit: str | None) -> GateView:
        """Return what the gate says of a commit, after one refresh at a time where one is due."""
        if self.gate.needs_refresh(commit):
            async with self._gate_lock:
                if self.gate.needs_refresh(commit):
                    await self.quick(self.gate.refresh)
        return self.gate.view(commit)

    def close(self) -> None:
        """End the threads that do nothing; those that do something end with it."""
        self._quick.shutdown(wait=False, cancel_futures=True)
        self._bodies.shutdown(wait=False, cancel_futures=True)
        with suppress(OSError):
            self.storage.close()


def environment() -> dict[str, str]:
    """Return this process's environment."""
    return dict(os.environ)
