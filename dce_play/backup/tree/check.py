"""Level 2 of an archive of folders: read to its end mark, every file hashed, all of it compared with its own index."""

from collections.abc import Callable, Mapping
from typing import BinaryIO

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.streams import PulledSink
from dce_play.backup.tree.index import ContentSum, Counts, RunningIndex
from dce_play.backup.tree.pax import Kind, Member, NotATar
from dce_play.backup.tree.tar import INDEX, TarReader, content
from dce_play.source import JsonValue


def tree_check(expected: Mapping[str, JsonValue] | None) -> PulledSink[Counts]:
    """Return a check to push a plain tar through; ``expected`` are a manifest's counts, where there is one.

    Its ``finish`` raises BackupError: ``truncated``, ``verify-failed``.
    """
    return PulledSink(lambda stream: read_tree(stream, expected), name="tree-check")


def read_tree(
    stream: BinaryIO,
    expected: Mapping[str, JsonValue] | None,
    *,
    see: Callable[[Member, bytes], object] = lambda _member, _data: None,
) -> Counts:
    """Read a tar to its end and return what it holds. ``see`` gets each piece of a file's data, in order.

    Raises: BackupError: ``truncated``, ``verify-failed``.
    """
    reader = TarReader(stream.read)
    index = RunningIndex()
    stated = ""
    try:
        for member in reader:
            if stated:
                raise BackupError(ErrorId.VERIFY_FAILED, "the archive goes on behind its index")
            digest = ContentSum(member)
            for offset, data in content(reader, member)[1]:
                digest.feed(offset, data)
                see(member, data)
            if member.name == INDEX and member.kind is Kind.FILE:
                stated = digest.hexdigest()
            else:
                index.add(member, digest.hexdigest())
    except NotATar as error:
        raise BackupError(ErrorId.TRUNCATED, f"the archive is damaged: {error}") from error
    if not stated:
        raise BackupError(ErrorId.TRUNCATED, f"the archive has no {INDEX.decode()}")
    if stated != index.sha256():
        raise BackupError(ErrorId.VERIFY_FAILED, "the archive is not what its index says")
    compare_counts(index.counts, expected)
    return index.counts


def compare_counts(counts: Counts, expected: Mapping[str, JsonValue] | None) -> None:
    """Compare what an archive holds with what its manifest says.

    Raises: BackupError (``verify-failed``).
    """
    for key, found in counts.in_archive().items():
        if expected is not None and key in expected and expected[key] != found:
            raise BackupError(
                ErrorId.VERIFY_FAILED, f"the archive holds {found} {key}, its manifest says {expected[key]}"
            )
