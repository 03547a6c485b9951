"""A run's fetching with all it needs: the hosts that the environment names, and a token for signatures that ended."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.auth.discovery import discover_token, places
from dce_play.discord.exporters.choose import api_base
from dce_play.discord.exporters.discord_api.rest.client import DiscordClient
from dce_play.discord.media.outcome import MediaOutcome
from dce_play.discord.media.refresh import Refresher
from dce_play.discord.media.run import Around, MediaRun
from dce_play.discord.media_store.hosts import Hosts, check_base
from dce_play.discord.targets.model import Target
from dce_play.errors import UsageError
from dce_play.layout import TargetLayout
from dce_play.system.clock import Clock

CDN_BASE_VARIABLE = "DCE_DISCORD_CDN_BASE"


class BadCdnBase(UsageError):
    """The server named in place of Discord's media hosts is none that may be asked."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"bad {CDN_BASE_VARIABLE}: {reason}", hint="use https://…, or http:// to this machine")


def _silent(_done: float, _total: float | None, _unit: str, /) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaTools:
    """What media are fetched with."""

    environment: Mapping[str, str]
    folder: Path
    """Where the token is looked for."""
    clock: Clock
    run_id: str
    note: Callable[[str], None]
    protect: Callable[[str], None]
    """Told every token, so that it is masked from then on."""
    cancelled: Callable[[], bool]
    progress: Callable[[float, float | None, str], None] = _silent
    """Told how many media came to an end so far, from several threads."""


@contextmanager
def fetching(target: Target, tools: MediaTools, outcome: MediaOutcome) -> Iterator[MediaRun]:
    """Fetch a target's media as long as the block runs, and until the queue is empty; ``outcome`` is filled.

    Raises: BadCdnBase.
    """
    base = tools.environment.get(CDN_BASE_VARIABLE, "")
    wrong = check_base(base) if base else None
    if wrong is not None:
        raise BadCdnBase(wrong)

    def connect() -> DiscordClient:
        found = discover_token(places(tools.environment, tools.folder))
        tools.protect(found.token)
        return DiscordClient(api_base(tools.environment), found.token, clock=tools.clock, note=tools.note)

    refresher = Refresher(connect, clock=tools.clock, note=tools.note, cancelled=tools.cancelled)
    around = Around(
        clock=tools.clock,
        run_id=tools.run_id,
        hosts=Hosts(target.media.hosts, base=base),
        refresh=refresher,
        cancelled=tools.cancelled,
        progress=tools.progress,
    )
    try:
        with MediaRun(TargetLayout(target.output_dir), target.media, around, outcome) as run:
            yield run
    finally:
        refresher.close()
