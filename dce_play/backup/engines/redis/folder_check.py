"""Level 2 of a data folder's tar: every file as its index says, and the snapshot read by ``redis-check-rdb``."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import BinaryIO

from dce_play.backup.engines.redis.checked import RdbContents, RdbProbe, rdb_probe
from dce_play.backup.engines.redis.places import LABEL
from dce_play.backup.engines.redis.stream_check import compare_contents
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Container, Services
from dce_play.backup.streams import PulledSink
from dce_play.backup.tree.check import read_tree
from dce_play.backup.tree.pax import Member
from dce_play.source import JsonValue

MAGIC = b"REDIS"


def is_snapshot(member: Member) -> bool:
    """Return whether a member lies where the snapshot does: right below the label. The log has a folder of its own."""
    return member.name.count(b"/") == 1 and member.name.startswith(LABEL.encode() + b"/")


def folder_check(
    services: Services, *, container: Container | None = None, expected: Mapping[str, JsonValue] | None = None
) -> PulledSink[RdbContents]:
    """Return a check to push a plain tar through. With ``expected``, a manifest's counts, it also compares."""

    def pull(stream: BinaryIO) -> RdbContents:
        contents = read_folder(stream, services, container)
        compare_contents(contents, expected)
        return contents

    return PulledSink(pull, name="redis folder check")


def read_folder(stream: BinaryIO, services: Services, container: Container | None = None) -> RdbContents:
    """Read a tar to its end and return what its snapshot holds.

    Raises: BackupError: ``truncated``, ``verify-failed``, ``no-tool``.
    """
    found: list[RdbContents] = []
    with ExitStack() as running:
        probes: dict[bytes, RdbProbe] = {}

        def see(member: Member, data: bytes) -> None:
            if not is_snapshot(member) or found:
                return
            if not probes and data.startswith(MAGIC):
                probes[member.name] = running.enter_context(rdb_probe(services, container))
            if member.name in probes:
                probes[member.name].write(data)

        read_tree(stream, None, see=see)
        found += [probe.finish() for probe in probes.values()]
    if not found:
        raise BackupError(ErrorId.VERIFY_FAILED, "the archive has no snapshot")
    return found[0]
