"""Being connected to a cluster's scheduler, or to what is none."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import pytest

from dce_play.errors import ExitCode
from dce_play.runner.fan_out import cluster_checks
from dce_play.runner.fan_out.cluster import connect
from dce_play.runner.fan_out.cluster_checks import ClusterUnusable, reach
from tests.support.bounds import at_most, lower


@contextmanager
def greeting(words: bytes | None) -> Iterator[str]:
    """Run what greets each one who comes with these words; ``None`` keeps it silent. Yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def greet() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return
                if words is not None:
                    with suppress(OSError):  # whoever asked has read enough, and is gone
                        held[-1].sendall(words)
                        held[-1].shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=greet)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in held:
                each.close()


@contextmanager
def polite() -> Iterator[str]:
    """Run what greets as a scheduler does, with Dask's own words, and says nothing more. Yields its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> Any:
        async def keep(_comm: object) -> None:
            await asyncio.Event().wait()

        return await import_module("distributed.comm").listen("tcp://127.0.0.1:0", keep)

    async def end() -> None:
        listener.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    listener = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield listener.contact_address
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_scheduler_that_greets_and_says_no_more_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lower(monkeypatch, "runner.fan_out.cluster:CONNECT_S", 0.3)
    with polite() as address:
        reach(address)
        with pytest.raises(ClusterUnusable, match=f"no scheduler answers at {address}") as refused:
            connect(address)
    assert "dask scheduler" in refused.value.hint
    assert refused.value.exit_code == ExitCode.PREFLIGHT


def test_what_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_checks, "_REACH_S", 0.1)
    with greeting(None) as address, pytest.raises(ClusterUnusable, match=f"answers at {address}: timed out"):
        reach(address)


def test_what_greets_as_no_scheduler_does_is_none() -> None:
    largest = at_most("runner.fan_out.cluster_checks:_LARGEST_GREETING_BYTES")
    with greeting(largest.to_bytes(8, "little")) as address:
        reach(address)
    for words in (b"SSH-2.0-OpenSSH_9.2\r\n", (largest + 1).to_bytes(8, "little"), b""):
        with greeting(words) as address, pytest.raises(ClusterUnusable, match="is no scheduler of Dask") as refused:
            reach(address)
        assert refused.value.exit_code == ExitCode.PREFLIGHT
