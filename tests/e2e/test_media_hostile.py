"""Media stores that something went wrong with: nothing that was kept is lost, and nothing is said that is not so."""

import json

import pytest

from tests.support.media_shop import Shop


@pytest.mark.contract("M5", "M6")
def test_a_size_that_no_file_has_stops_no_other_file(shop: Shop) -> None:
    shop.attach("huge.bin", b"small", size=10**30)
    shop.attach("b.bin", b"the other")
    said = shop.fetch()
    assert said.code == 0, said.err
    assert shop.stored(b"the other")


@pytest.mark.contract("M7")
@pytest.mark.parametrize("harm", ["damaged", "missing", "emptied", "begun anew"])
def test_gc_removes_nothing_where_the_ledger_does_not_say_all(shop: Shop, harm: str) -> None:
    shop.attach("a.bin", b"first")
    shop.attach("b.bin", b"second")
    shop.fetch()
    ledger = shop.media / "media.jsonl"
    whole = ledger.read_bytes()
    if harm == "damaged":
        ledger.write_bytes(b"\0" * 40 + whole[40:])
    elif harm == "emptied":
        ledger.write_bytes(b"")
    else:
        ledger.unlink()
    if harm == "begun anew":
        shop.server.files.clear()
        shop.fetch()
    said = shop.terminal.run("media", "gc", "t", "--apply")
    assert shop.stored(b"first"), said.out
    assert shop.stored(b"second"), said.out
    assert said.code == 1
    assert f"dce-play media {'verify' if harm in {'damaged', 'missing'} else 'fetch'} t" in said.err


@pytest.mark.contract("M7", "M9")
def test_a_digest_that_is_none_is_told_and_leads_nowhere(shop: Shop) -> None:
    url = shop.attach("a.bin", b"first")
    shop.fetch()
    ledger = shop.media / "media.jsonl"
    line = json.loads(ledger.read_text())
    ledger.write_text(json.dumps({**line, "sha256": "../../../etc/passwd"}) + "\n")
    assert shop.terminal.run("media", "verify", "t").code == 1
    out = shop.terminal.folder / "out"
    said = shop.terminal.run("media", "export", str(shop.file), str(out))
    assert said.code in {0, 1}, said.err
    made = json.loads((out / shop.file.name).read_text())
    assert made["messages"][0]["attachments"][0]["url"].startswith(url)
    said = shop.terminal.run("media", "retry", "t")
    assert said.code == 0, said.err
    assert shop.stored(b"first")


@pytest.mark.contract("M7")
@pytest.mark.parametrize("harm", ["link", "rotten"])
def test_an_export_names_no_file_whose_bytes_are_not_those_that_were_kept(shop: Shop, harm: str) -> None:
    url = shop.attach("a.bin", b"first")
    shop.attach("b.bin", b"second")
    shop.fetch()
    digest = next(line["sha256"] for line in shop.lines() if line["url"] == url)
    file = shop.media / "sha256" / digest[:2] / digest
    file.unlink()
    if harm == "rotten":
        file.write_bytes(b"fIrst")
    elif harm == "link":
        file.symlink_to(shop.file)
    out = shop.terminal.folder / "out"
    said = shop.terminal.run("media", "export", str(shop.file), str(out))
    assert said.code == 1, said.err
    assert "! 1 kept file lost or changed" in said.out
    made = json.loads((out / shop.file.name).read_text())
    assert made["messages"][0]["attachments"][0]["url"].startswith(url)
    assert (out / made["messages"][1]["attachments"][0]["url"]).read_bytes() == b"second"
    assert len(list((out / f"{shop.file.name}_Files").iterdir())) == 1


@pytest.mark.contract("M7")
def test_an_export_that_was_killed_is_in_nobodys_way(shop: Shop) -> None:
    shop.attach("a.bin", b"first")
    shop.fetch()
    out = shop.terminal.folder / "out"
    out.mkdir()
    (out / f".{shop.file.name}.copy").write_bytes(b"half")
    said = shop.terminal.run("media", "export", str(shop.file), str(out))
    assert said.code == 0, said.err


@pytest.mark.contract("M2")
def test_a_store_on_another_disk_by_a_link_is_a_store(shop: Shop) -> None:
    shop.attach("a.bin", b"first")
    shop.fetch()
    moved = shop.terminal.folder / "disk"
    shop.media.rename(moved)
    shop.media.symlink_to(moved)
    shop.attach("b.bin", b"second")
    said = shop.fetch()
    assert said.code == 0, said.err
    assert shop.stored(b"second")
    assert shop.stored(b"first")
    assert shop.terminal.run("media", "verify", "t", "--deep").code == 0
