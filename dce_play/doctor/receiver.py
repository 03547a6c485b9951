"""Rows that need the receiver's answer: whether it serves us, and how far our clocks are apart."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from dce_play.doctor.rows import Row, green, red, yellow
from dce_play.errors import DcePlayError
from dce_play.system.clock import SystemClock
from dce_play.system.redact import Masker
from dce_play.transfer.sending.answer import Answer
from dce_play.transfer.sending.client import Client
from dce_play.transfer.sending.ping import PingResult, ping
from dce_play.transfer.sending.settings import ShipConfig
from dce_play.transfer.sending.ship_pass import newest_commit
from dce_play.transfer.sending.spool import Spool

FURTHEST_CLOCK_S = 300.0


def receiver_rows(config: ShipConfig, *, environment: Mapping[str, str], now: datetime) -> list[Row]:
    """Ask the receiver once; return the rows ``clock`` and ``receiver``. Writes nothing anywhere."""
    dates: list[str] = []

    def heard(answer: Answer) -> None:
        if date := answer.headers.get("date"):
            dates.append(date)

    masker = Masker()
    try:
        client = Client(config, environment=environment, masker=masker, heard=heard)
    except DcePlayError as error:
        return [red("receiver", str(error), f"dce-play ship ping {config.option}", count=1)]
    try:
        result = ping(client, config, newest_commit(Spool(config)), clock=SystemClock())
    finally:
        client.close()
    return [*_clock_rows(dates, now), _receiver_row(result, config, masker)]


def _clock_rows(dates: list[str], now: datetime) -> list[Row]:
    if not dates:
        return []
    try:
        theirs = parsedate_to_datetime(dates[-1])
    except ValueError:
        return []
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    off = (now - theirs).total_seconds()
    if abs(off) <= FURTHEST_CLOCK_S:
        return [green("clock", f"our clock and the receiver's are {abs(off):.0f} s apart")]
    which = "ahead of" if off > 0 else "behind"
    what = f"our clock is {abs(off) / 60:.0f} min {which} the receiver's"
    return [yellow("clock", what, "timedatectl status", "sudo timedatectl set-ntp true", count=1)]


def _receiver_row(result: PingResult, config: ShipConfig, masker: Masker) -> Row:
    problem = result.problem
    if problem is None:
        return green("receiver", f"{config.url} answers in {result.rtt_ms:g} ms and takes our episodes")
    what = masker.mask(f"{problem.code}: {problem.what}")
    fix = [masker.mask(line) for line in problem.fix] or [f"dce-play ship ping {config.option}"]
    return red("receiver", what, *fix, count=1)
