"""``.ship/state.json``: back-off, held commits, the clock's offset, the last success. Losing it loses no episode."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from dce_play.system.durable.whole_files import write_atomic

LARGEST_OFFSET_S = 3600.0
"""How far our clock may be off the receiver's and still decide."""


class Wait(msgspec.Struct, kw_only=True):
    """How often something failed in a row, and the time of day (seconds since 1970) before which it is not tried."""

    failures: int = 0
    due: float = 0.0
    why: str = ""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What the receiver's clock said last: ours minus theirs, and when that was by ours (seconds since 1970)."""

    offset_s: float
    at: float


class ShipState(msgspec.Struct, kw_only=True):
    """The file's fields."""

    v: int = 1
    held: dict[str, float] = {}
    """Commits that the gate refuses, and since when."""
    backoff: dict[str, Wait] = {}
    """By episode id."""
    mismatches: dict[str, int] = {}
    """How often an episode was damaged on the way, by id."""
    whole: Wait | None = None
    """The wait of the whole shipper; ``why`` is ``auth`` or ``unreachable``."""
    heard: Heard | None = None
    last_success: str | None = None
    results: dict[str, int] = {}
    """Counts by ``<http> <outcome>``."""


def moment(state: ShipState, now: datetime) -> datetime:
    """Return what time it is, as far as a shipper with this state can tell when its clock says ``now``.

    The receiver's time, while ours was more than an hour off it when it was last heard; never earlier than that answer.
    """
    heard = state.heard
    if heard is None:
        return now
    if abs(heard.offset_s) > LARGEST_OFFSET_S:
        now -= timedelta(seconds=heard.offset_s)
    return max(now, datetime.fromtimestamp(heard.at - heard.offset_s, UTC))


class StateFile:
    """Reads the state once and writes it when it has changed. Several threads may change it under ``lock``."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.json"
        self.lock = threading.RLock()
        self.state, self._saved = _read(self.path)

    def save(self) -> None:
        """Write the state durably, unless it is what was written last."""
        with self.lock:
            data = msgspec.json.encode(self.state)
        if data != self._saved:
            write_atomic(self.path, data + b"\n", mode=0o600)
            self._saved = data


def read_state(folder: Path) -> ShipState:
    """Return the state as it was saved last; an empty one where there is none that can be read."""
    return _read(folder / "state.json")[0]


def _read(path: Path) -> tuple[ShipState, bytes]:
    try:
        data = path.read_bytes().removesuffix(b"\n")
        return msgspec.json.decode(data, type=ShipState), data
    except (OSError, msgspec.DecodeError):
        return ShipState(), b""
