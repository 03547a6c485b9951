"""Rows that need the receiver's answer: whether it serves us, and how far our clocks are apart."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from dce_play.doctor.rows import Row, green, red, yellow
from dce_play.errors import DcePlayError
from dce_play.system.clock import SystemClock
from dce_play.system.redact import Masker
from dce_play.transfer.sending.connection.answer import Answer
from dce_play.transfer.sending.connection.client import Client
from dce_play.transfer.sending.connection.ping import PingResult, ping
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.settings import ShipConfig
from dce_play.transfer.sending.ship_pass import newest_commit

FURTHEST_CLOCK_S = 300.0
_DATE_STEP = timedelta(seconds=2)
"""How late a ``Date`` may be: it has whole seconds, and servers make it anew only once a second."""


def receiver_rows(config: ShipConfig, *, environment: Mapping[str, str]) -> list[Row]:
    """Ask the receiver once; return the rows ``clock`` and ``receiver``. Writes nothing anywhere."""
    clock = SystemClock()
    gaps: list[timedelta] = []
    asked = clock.now()

    def heard(answer: Answer) -> None:
        gap = clocks_apart(answer.headers.get("date", ""), asked=asked, heard=clock.now())
        if gap is not None:
            gaps.append(gap)

    masker = Masker()
    try:
        client = Client(config, environment=environment, masker=masker, heard=heard)
    except DcePlayError as error:
        return [red("receiver", str(error), f"dce-play ship ping {config.option}", count=1)]
    try:
        result = ping(client, config, newest_commit(Spool(config)), clock=clock)
    finally:
        client.close()
    return [*(clock_row(gap) for gap in gaps[-1:]), _receiver_row(result, config, masker)]


def clocks_apart(date: str, *, asked: datetime, heard: datetime) -> timedelta | None:
    """Return how far our clock is ahead of the one that wrote a ``Date`` between two moments of ours, at least.

    ``None`` when the header tells no time.
    """
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return None
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    if asked > theirs + _DATE_STEP:
        return asked - (theirs + _DATE_STEP)
    return min(heard - theirs, timedelta())


def clock_row(gap: timedelta) -> Row:
    """Return the row on how far the clocks are apart."""
    off = gap.total_seconds()
    if abs(off) < 1:
        return green("clock", "our clock and the receiver's show the same time")
    if abs(off) <= FURTHEST_CLOCK_S:
        return green("clock", f"our clock and the receiver's are {abs(off):.0f} s apart")
    which = "ahead of" if off > 0 else "behind"
    what = f"our clock is {abs(off) / 60:.0f} min {which} the receiver's"
    return yellow("clock", what, "timedatectl status", "sudo timedatectl set-ntp true", count=1)


def _receiver_row(result: PingResult, config: ShipConfig, masker: Masker) -> Row:
    problem = result.problem
    if problem is None:
        return green("receiver", f"{config.url} answers in {result.rtt_ms:g} ms and takes our episodes")
    what = masker.mask(f"{problem.code}: {problem.what}")
    fix = [masker.mask(line) for line in problem.fix] or [f"dce-play ship ping {config.option}"]
    return red("receiver", what, *fix, count=1)
