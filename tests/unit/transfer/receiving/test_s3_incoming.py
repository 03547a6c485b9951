"""Archives in a real bucket: never more parts than a store takes, never a copy larger than one."""

import pytest

from dce_play.transfer.receiving import s3_incoming
from dce_play.transfer.receiving.s3_incoming import MOST_PARTS, S3Whole, part_bytes
from tests.support.real_engines import SeaweedFS


def test_parts_grow_where_there_would_be_too_many() -> None:
    part = 8 << 20
    assert part_bytes(part * MOST_PARTS, part) == part
    for size in (part * MOST_PARTS + 1, 5 << 40):
        larger = part_bytes(size, part)
        assert larger > part
        assert -(-size // larger) <= MOST_PARTS


@pytest.mark.parametrize(("more", "copied"), [(0, True), (1, False)])
def test_what_is_too_large_for_a_copy_is_read_and_put(
    seaweed: SeaweedFS, monkeypatch: pytest.MonkeyPatch, more: int, copied: bool
) -> None:
    monkeypatch.setattr(s3_incoming, "LARGEST_COPY_BYTES", 1000)
    bucket = seaweed.new_bucket()
    data = b"x" * (1000 + more)
    bucket.put("uploads/1", data, only_new=True, content_type="text/x-source")
    S3Whole(bucket, "uploads/1", "store/ep-1", size=len(data), part_size=5 << 20).take_name()
    with bucket.open("store/ep-1") as stored:
        assert b"".join(stored.chunks()) == data
        assert (stored.facts.content_type == "text/x-source") is copied  # a copy keeps what the object was
