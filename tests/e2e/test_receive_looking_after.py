"""``receive backfill`` and ``receive verify`` over real stores: what is lost is made again, what is broken is told."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.receiver import COMMIT, Receiver, archive


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver that has stored three episodes and was stopped."""
    with Receiver(folder=tmp_path) as one:
        for number in range(3):
            assert one.put(f"ep-{number}", archive(f"ep-{number}", {"a": os.urandom(1000)})).status == 201
        assert one.stop() == 0
        yield one


@pytest.mark.contract("V4")
def test_a_lost_index_is_made_again_from_receipts_and_at_every_start(stopped: Receiver) -> None:
    before = {row["id"]: row for row in stopped.rows()}
    (stopped.store / "index.jsonl").unlink()
    code, dry = stopped.verb("backfill", "--dry-run")
    assert (code, dry["rows"], dry["added"]) == (0, 0, 3)
    assert not (stopped.store / "index.jsonl").exists()
    code, report = stopped.verb("backfill")
    assert (code, report["rows"], report["added"]) == (0, 3, 3)
    assert {row["id"]: row for row in stopped.rows()} == {
        name: {**row, "source": "backfill"} for name, row in before.items()
    }
    assert stopped.verb("backfill")[1]["added"] == 0
    (stopped.store / "index.jsonl").unlink()
    stopped.start()
    assert len(stopped.rows()) == 3


@pytest.mark.contract("V4")
def test_a_lost_receipt_is_made_again_from_the_archive(stopped: Receiver) -> None:
    receipt = json.loads((stopped.store / "store" / "ep-1.receipt.json").read_text())
    (stopped.store / "store" / "ep-1.receipt.json").unlink()
    lines = (stopped.store / "index.jsonl").read_text().splitlines(keepends=True)
    (stopped.store / "index.jsonl").write_text("".join(line for line in lines if "ep-1" not in line))
    assert stopped.verb("verify")[0] == 1
    code, report = stopped.verb("backfill")
    assert (code, report["added"]) == (0, 1)
    made = json.loads((stopped.store / "store" / "ep-1.receipt.json").read_text())
    same = ("id", "size", "sha256", "manifest_digest", "commit", "files", "bytes")
    assert {name: made[name] for name in same} == {name: receipt[name] for name in same}
    assert made["host_id"] == "told-by-meta"
    assert stopped.rows()[-1]["commit"] == COMMIT
    assert stopped.verb("verify", "--deep")[0] == 0


@pytest.mark.contract("V4")
def test_everything_that_is_wrong_with_an_index_is_told(stopped: Receiver) -> None:
    index = stopped.store / "index.jsonl"
    good = index.read_text().splitlines(keepends=True)
    old = '{"id": "old-1", "shape": {"we": "do not know"}}\n'
    index.write_text("".join([good[0], "no json\n", old, good[1], good[0], "[1]\n", good[2], '{"v":1,"id":"ep-']))
    (stopped.store / "store" / "broken.tar.zst").write_bytes(b"no archive")
    code, report = stopped.verb("backfill")
    assert code == 1
    assert report["bad_lines"] == [2, 6]
    assert report["repeated"] == ["ep-0"]
    assert report["missing_files"] == ["old-1"]
    assert report["cut_bytes"] == len('{"v":1,"id":"ep-')
    assert [each["id"] for each in report["broken"]] == ["broken"]
    assert "archive_invalid" in report["broken"][0]["why"]
    text = index.read_text()
    assert old in text
    assert text.endswith("\n")
    assert stopped.verb("backfill")[1]["cut_bytes"] == 0
    stopped.start()
    assert stopped.put("ep-9", archive("ep-9")).status == 201
    assert stopped.request("GET", "/v1/episodes/broken").status == 500


@pytest.mark.contract("V4")
def test_a_200_makes_sure_that_its_line_is_there(stopped: Receiver) -> None:
    stopped.start()
    data = (stopped.store / "store" / "ep-2.tar.zst").read_bytes()
    (stopped.store / "index.jsonl").write_text("")
    assert stopped.put("ep-2", data).status == 200
    assert [row["id"] for row in stopped.rows()] == ["ep-2"]
    assert stopped.verb("backfill")[1]["added"] == 2
    assert stopped.put("ep-5", archive("ep-5")).status == 201
    assert sorted(row["id"] for row in stopped.rows()) == ["ep-0", "ep-1", "ep-2", "ep-5"]


def test_verify_tells_what_differs_and_deep_reads_all(stopped: Receiver) -> None:
    code, report = stopped.verb("verify")
    assert (code, report["episodes"], report["broken"]) == (0, 3, [])
    store = stopped.store / "store"
    data = bytearray((store / "ep-0.tar.zst").read_bytes())
    assert report["bytes"] == sum(path.stat().st_size for path in store.glob("*.tar.zst"))
    data[len(data) // 2] ^= 1
    (store / "ep-0.tar.zst").write_bytes(data)
    with (store / "ep-1.tar.zst").open("ab") as file:
        file.write(b"x")
    assert [each["id"] for each in stopped.verb("verify")[1]["broken"]] == ["ep-1"]
    code, deep = stopped.verb("verify", "--deep")
    assert (code, [each["id"] for each in deep["broken"]]) == (1, ["ep-0", "ep-1"])
    assert "SHA-256" in deep["broken"][0]["why"]


def test_the_index_is_exported_as_it_is(stopped: Receiver) -> None:
    assert stopped.run("index", "export").stdout == (stopped.store / "index.jsonl").read_text()


@pytest.mark.contract("V5")
def test_what_broken_uploads_left_is_swept_at_the_start(stopped: Receiver) -> None:
    part = stopped.store / "incoming" / "ep-7.x.part"
    part.write_bytes(b"half")
    os.utime(part, (1, 1))
    fresh = stopped.store / "incoming" / "ep-8.x.part"
    fresh.write_bytes(b"half")
    (stopped.store / "uploads" / ("0" * 32)).mkdir()
    os.utime(stopped.store / "uploads" / ("0" * 32), (1, 1))
    stopped.start()
    assert not part.exists()
    assert fresh.exists()
    assert list((stopped.store / "uploads").iterdir()) == []
