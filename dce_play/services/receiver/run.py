"""The receiver's life: made ready, serving, and stopping without cutting off what runs."""

import asyncio
import logging
import resource
import signal
import time
from collections.abc import Mapping
from contextlib import suppress

from dce_play import __version__
from dce_play.errors import DcePlayError
from dce_play.services.receiver.admin import admin_app
from dce_play.services.receiver.api import Api
from dce_play.services.receiver.context import ReceiverContext
from dce_play.services.receiver.listening import Listener, open_socket, shown_address
from dce_play.services.receiver.logging_setup import set_up_logging
from dce_play.services.receiver.tally import Tally
from dce_play.services.receiver.tls import TlsFilesInUse
from dce_play.system.sd_notify import Notifier, notifier_from
from dce_play.transfer.receiving.backends import open_storage, open_tokens
from dce_play.transfer.receiving.config import ReceiveConfig
from dce_play.transfer.receiving.gate import Gate
from dce_play.transfer.receiving.gate_sources import ask_sources

SWEEP_EVERY_S = 600.0
_SPARE_DESCRIPTORS = 512
_MOST_CONNECTIONS = 8192

log = logging.getLogger("dce_play.receiver")


def run_receiver(config: ReceiveConfig, environment: Mapping[str, str]) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises: DcePlayError, when it cannot begin: a store in use, files of TLS that are not good, an address taken.
    """
    set_up_logging(environment)
    tally = Tally()
    storage = open_storage(config, environment, on_row=tally.add_row)
    tokens = open_tokens(config, environment)
    tokens.all()
    tls = TlsFilesInUse(config.tls) if config.tls else None
    gate = Gate(
        config.gate,
        ask=lambda: ask_sources(config.gate, environment),
        monotonic=time.monotonic,
        log=log.warning,
    )
    storage.start()
    context = ReceiverContext(config, storage=storage, tokens=tokens, gate=gate, tally=tally, version=__version__)
    try:
        asyncio.run(_serve(context, tls, notifier_from(environment), environment))
    finally:
        context.close()


async def _serve(
    context: ReceiverContext, tls: TlsFilesInUse | None, notifier: Notifier, environment: Mapping[str, str]
) -> None:
    config = context.config
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    most = _raise_descriptor_limit()
    main = Listener(Api(context), header_timeout_s=config.limits.header_timeout_s, most_connections=most)
    admin = Listener(admin_app(context, tls), header_timeout_s=config.limits.header_timeout_s, most_connections=256)
    opened = open_socket(config.bind)
    places = {"bind": shown_address(opened)}
    admin_socket = open_socket(config.admin_bind) if config.admin_bind else None
    await main.start(opened, tls.context if tls else None)
    if admin_socket is not None:
        places["admin"] = shown_address(admin_socket)
        await admin.start(admin_socket, None)
    tasks = [loop.create_task(_sweep(context)), loop.create_task(_watchdog(notifier, environment))]
    tasks.append(loop.create_task(_ask_gate(context)))
    log.info("receive.ready %s episodes=%d", " ".join(f"{k}={v}" for k, v in places.items()), context.tally.episodes())
    notifier.ready(f"listening on {places['bind']}")
    await stop.wait()
    log.info("receive.stopping")
    notifier.stopping()
    context.stopping = True
    main.stop_accepting()
    await main.finish(config.limits.drain_s)
    admin.stop_accepting()
    await admin.finish(1.0)
    for task in tasks:
        task.cancel()
    if config.bind.path is not None:
        with suppress(OSError):
            config.bind.path.unlink()


async def _ask_gate(context: ReceiverContext) -> None:
    await context.judge(None)


async def _sweep(context: ReceiverContext) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        try:
            for name in await context.quick(context.storage.sweep):
                log.info("receive.swept file=%s", name)
        except (OSError, DcePlayError) as error:
            log.warning("receive.not_swept why=%s", error)


async def _watchdog(notifier: Notifier, environment: Mapping[str, str]) -> None:
    text = environment.get("WATCHDOG_USEC", "")
    if not text.isdigit() or int(text) == 0:
        return
    while True:
        notifier.watchdog()
        await asyncio.sleep(int(text) / 1e6 / 3)


def _raise_descriptor_limit() -> int:
    """Let this process open as many files as it may; return how many connections that is good for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _SPARE_DESCRIPTORS
    aim = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < aim:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (aim, hard))
            soft = aim
    return max(64, min(_MOST_CONNECTIONS, soft - _SPARE_DESCRIPTORS))
