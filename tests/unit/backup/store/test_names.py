"""Which files belong to which module."""

import pytest

from dce_play.backup.store.names import part_of, split_name


@pytest.mark.contract("B2")
@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("redis-20261128T221500Z.tar.gz", "redis"),
        ("redis-cache-20261128T221500Z.rdb.gz", "redis-cache"),
        ("a-20200101t000000z-20261128T221500Z.pg.tar", "a-20200101t000000z"),
        ("a.b_c-20261128T221500Z.snap.age", "a.b_c"),
        ("redis-20261128T221500Z", None),
        ("redis-20261328T221500Z.tar.gz", None),
        ("redis-20261128T221500Z.tar.gz.manifest.json", None),
        ("Redis-20261128T221500Z.tar.gz", None),
        ("../redis-20261128T221500Z.tar.gz", None),
        ("redis-20261128T221500Z.tar.gz\n", None),
    ],
)
def test_a_file_belongs_to_what_stands_before_its_last_stamp(name: str, module: str | None) -> None:
    found = split_name(name)
    assert (found.module if found is not None else None) == module


def test_a_part_is_ours_only_with_a_name_of_ours() -> None:
    assert part_of(".redis-20261128T221500Z.tar.gz.part") == "redis-20261128T221500Z.tar.gz"
    assert part_of(".hidden.part") is None
    assert part_of("redis-20261128T221500Z.tar.gz.part") is None
