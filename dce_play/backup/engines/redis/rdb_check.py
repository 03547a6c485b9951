"""What ``redis-check-rdb`` says of an RDB, read from its lines.

Source: redis 7.0, ``src/redis-check-rdb.c``.
"""

import re

import msgspec

_OFFSET = re.compile(r"\[offset (\d+)\] (.*)")
_SELECTED = re.compile(r"Selecting DB ID (\d+)")
_INFO = re.compile(r"\[info\] (\d+) (keys read|expires|already expired)")
_FINE = "RDB looks OK!"


class RdbVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the tool found. ``flaw`` is empty when it says that all is well and its exit code agrees."""

    ended_at: int
    databases: dict[int, int]
    """The number of each database by the offset just past it in its header."""
    keys: int
    expired: int
    """Keys whose time was up when the tool ran; a server that loads the file leaves them out."""
    version: str
    flaw: str


def read_verdict(output: str, *, exit_code: int) -> RdbVerdict:
    """Return what the tool's output means."""
    databases: dict[int, int] = {}
    ended_at, fine, version, said = 0, False, "", ""
    info = {"keys read": 0, "expires": 0, "already expired": 0}
    for line in output.splitlines():
        if located := _OFFSET.match(line):
            ended_at, said = int(located[1]), located[2]
            if selected := _SELECTED.match(said):
                databases[ended_at] = int(selected[1])
            elif said.startswith("AUX FIELD redis-ver = "):
                version = said.rpartition(" = ")[2].strip("'")
            fine = fine or _FINE in said
        elif counted := _INFO.match(line):
            info[counted[2]] = int(counted[1])
    flaw = "" if fine and exit_code == 0 else f"redis-check-rdb stopped at byte {ended_at}: {said or 'no output'}"
    return RdbVerdict(
        ended_at=ended_at,
        databases=databases,
        keys=info["keys read"],
        expired=info["already expired"],
        version=version,
        flaw=flaw,
    )
