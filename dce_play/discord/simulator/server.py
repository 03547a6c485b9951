"""A simulated Discord on loopback, over real HTTP.

    with running_simulator(rehearsal_world(1)) as simulator:
        client = Client(simulator.base_url, token=simulator.token)
        ...
        simulator.grow(12)

It listens on 127.0.0.1 and nowhere else. Besides Discord's API it answers ``POST /_simulator/grow`` with a body
of ``{"messages": 12}`` and ``POST /_simulator/expire``, for whoever runs it in another process.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dce_play.discord.simulator.asgi import Application, Seen
from dce_play.discord.simulator.cdn import MediaServer
from dce_play.discord.simulator.faults import Faults
from dce_play.discord.simulator.limits import RateLimits
from dce_play.discord.simulator.signatures import A_DAY_S, Signatures
from dce_play.discord.simulator.world import World
from dce_play.errors import DcePlayError, UsageError
from dce_play.snowflake import ChannelId
from dce_play.system.clock import Clock, SystemClock

HOST = "127.0.0.1"


class PortTaken(UsageError):
    """The port asked for cannot be listened on."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {HOST}:{port}: {reason}", hint="--port 0 takes any free port")
        self.port = port


class SimulatorStuck(DcePlayError):
    """The simulator's thread did not end."""


class Simulator:
    """A simulated Discord that is running."""

    def __init__(self, world: World, port: int, application: Application, /) -> None:
        self.world = world
        self.port = port
        self._application = application

    @property
    def base_url(self) -> str:
        """The API's address, without a slash at its end."""
        return f"http://{HOST}:{self.port}/api/v10"

    @property
    def cdn_base(self) -> str:
        """The address to ask in place of Discord's two media servers; it serves where ``media`` was switched on."""
        return f"http://{HOST}:{self.port}"

    @property
    def token(self) -> str:
        """The user's token."""
        return self.world.user_token

    @property
    def bot_token(self) -> str:
        """The bot's token."""
        return self.world.bot_token

    @property
    def requests(self) -> tuple[Seen, ...]:
        """Every request so far, in order, refused ones included."""
        return tuple(self._application.seen)

    def grow(self, messages: int, *, channel_id: ChannelId | None = None) -> None:
        """Add new messages to one channel, or in turn to all that grow."""
        self.world.grow(messages, channel_id=channel_id)

    def expire(self) -> None:
        """End the signatures of all URLs that were given so far."""
        self._application.expire()

    def media_file(self, path: str) -> bytes | None:
        """Return the bytes that are served under a path of the media servers, or ``None``."""
        return self._application.media_file(path)

    def play(self, faults: Faults) -> None:
        """From the next request on, let these things go wrong instead of what was set before."""
        self._application.play(faults)


@contextmanager
def running_simulator(
    world: World,
    /,
    *,
    port: int = 0,
    media: bool = False,
    signatures_last_s: float = A_DAY_S,
    faults: Faults | None = None,
    limits: RateLimits | None = None,
    clock: Clock | None = None,
) -> Iterator[Simulator]:
    """Answer as this world's Discord until the block ends, in a thread of this process.

    Port 0 takes any free one. With ``media`` it serves the attachments and pictures that the messages name; their
    URLs are signed then, for ``signatures_last_s`` seconds. Raises: PortTaken.
    """
    import uvicorn  # 100 ms that only a rehearsal needs

    clock = clock or SystemClock()
    server_of_media = (
        MediaServer(world, Signatures(clock, key=world.seed, lifetime_s=signatures_last_s)) if media else None
    )
    application = Application(
        world, faults=faults or Faults(), limits=limits or RateLimits(), clock=clock, media=server_of_media
    )
    config = uvicorn.Config(
        application,
        http=application.protocol(),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with _listening(port) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name="simulator", daemon=True)
        thread.start()
        try:
            yield Simulator(world, listener.getsockname()[1], application)
        finally:
            server.should_exit = True
            thread.join(10.0)
    if thread.is_alive():
        raise SimulatorStuck("the simulator does not stop")


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it every answer takes 40 ms more
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise PortTaken(port, error.strerror or str(error)) from error
        listener.listen(128)
        yield listener
