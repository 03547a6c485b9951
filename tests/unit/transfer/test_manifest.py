"""The digest that says whether two archives hold the same episode."""

import hashlib

from dce_play.transfer.manifest import Entry, Manifest, empty_folders, manifest_digest

X = hashlib.sha256(b"x").hexdigest()


def test_the_digest_is_over_lines_as_the_contract_spells_them() -> None:
    lines = b"a-b\x001\x00" + X.encode() + b"\n" + b"a/\x000\x00\n" + b"meta.json\x001\x00" + X.encode() + b"\n"
    entries = [Entry(path=b"meta.json", size=1, sha256=X), Entry(path=b"a/"), Entry(path=b"a-b", size=1, sha256=X)]
    assert manifest_digest(entries) == "sha256:" + hashlib.sha256(lines).hexdigest()


def test_entries_that_come_in_order_need_no_sorting_and_others_are_noticed() -> None:
    entries = [Entry(path=b"a", size=1, sha256=X), Entry(path=b"b", size=1, sha256=X)]
    straight, crossed = Manifest(), Manifest()
    for entry in entries:
        straight.add(entry)
    for entry in reversed(entries):
        crossed.add(entry)
    assert straight.in_order
    assert straight.digest() == manifest_digest(entries)
    assert not crossed.in_order


def test_only_folders_with_nothing_at_all_in_them_count() -> None:
    found = empty_folders([b"a", b"a/b", b"c", b"d"], [b"c/file", b"meta.json"])
    assert [entry.path for entry in found] == [b"a/b/", b"d/"]
