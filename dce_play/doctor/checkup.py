"""One look at this machine: every probe that applies, in a fixed order."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dce_play.discord.targets.model import TargetsFile
from dce_play.doctor.archives import archive_rows
from dce_play.doctor.receiving import receiving_rows
from dce_play.doctor.rows import Row, yellow
from dce_play.doctor.ship_journal import denied, rows_of_journal
from dce_play.doctor.shipping import default_remediation, shipping_rows, waiting_count
from dce_play.host.journal import JournalDenied, read_journal_file, read_unit
from dce_play.system.process.executor import Executor
from dce_play.transfer.receiving.config import ReceiveConfig
from dce_play.transfer.sending.settings import ShipConfig

DEFAULT_UNIT = "dce-play-shipper.service"
_ORDER = (
    "disk.space", "folders", "bad_names", "quarantine", "cert.client", "cert.server", "cert.ca", "clock", "lock",
    "receiver", "token",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What there is to look at on this machine; ``None`` for what it is not."""

    ship: ShipConfig | None = None
    receive: ReceiveConfig | None = None
    targets: TargetsFile | None = None
    unit: str = DEFAULT_UNIT
    journal_file: Path | None = None


def checkup(
    subject: Subject,
    *,
    since: timedelta,
    now: datetime,
    environment: Mapping[str, str],
    executor: Executor,
    asked: Sequence[Row] = (),
) -> list[Row]:
    """Return all rows: what the journal tells first, then what lies on the machine.

    ``asked`` are the rows of a receiver that was asked; they take their place in the order.
    """
    rows = [*asked]
    if subject.ship is not None:
        rows += shipping_rows(subject.ship, unit=subject.unit, environment=environment, now=now)
    if subject.receive is not None:
        rows += receiving_rows(subject.receive, now=now)
    rows = sorted(dict.fromkeys(rows), key=lambda row: _ORDER.index(row.code))  # both sides may trust one CA
    if subject.targets is not None:
        targets = subject.targets
        rows += archive_rows(targets.archive_root, targets.targets, config=targets.path, environment=environment)
    return [*_journal_rows(subject, since=since, now=now, executor=executor), *rows]


def _journal_rows(subject: Subject, *, since: timedelta, now: datetime, executor: Executor) -> list[Row]:
    if subject.ship is None and subject.journal_file is None and subject.unit == DEFAULT_UNIT:
        return []
    start = now - since
    try:
        if subject.journal_file is not None:
            entries = read_journal_file(subject.journal_file, since=start)
        else:
            entries = read_unit(subject.unit, since=start, now=now, executor=executor)
    except JournalDenied as error:
        if subject.journal_file is not None:  # no group of ours lets anybody read that
            return [denied(str(error), f"ls -l {shlex.quote(str(subject.journal_file))}")]
        return [denied(str(error))]
    return rows_of_journal(
        (entry.message for entry in entries),
        unit=subject.unit,
        waiting=waiting_count(subject.ship) if subject.ship is not None else 0,
        remediation=default_remediation(),
        config=f" {subject.ship.option}" if subject.ship is not None else "",
    )


def nothing_to_look_at() -> Row:
    """Return the row for a machine that neither ships nor receives nor has a targets file, as far as we were told."""
    what = "nothing to look at: no ship.toml, no receive.toml and no targets file were found"
    return yellow("folders", what, "dce-play service install --help", "dce-play init", count=1)
