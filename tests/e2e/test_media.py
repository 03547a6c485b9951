"""Media kept by the real command line, from a media server on loopback, for channel files that name them."""

import contextlib
import hashlib
import itertools
import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from dce_play.discord.media_store.urls import exported_name
from tests.support.command_line import Terminal
from tests.support.media_server import MediaServer, media_server
from tests.support.media_shop import CHANNEL, Shop


@pytest.mark.contract("M2", "M7")
def test_bytes_are_kept_once_and_the_channel_file_stays(shop: Shop) -> None:
    one = shop.attach("a%20b.png", b"picture")
    two = shop.attach("../../x.png", None)
    shop.attach("same.png", b"picture")
    before = shop.file.read_bytes()
    said = shop.fetch()
    assert said.code == 0, said.err
    assert shop.file.read_bytes() == before
    assert shop.stored(b"picture")
    line = shop.lines()[0]
    assert list(line) == [
        *("v", "url", "sha256", "size", "content_type", "name", "message_id", "channel_id", "kind", "fetched_at"),
        "state",
    ]
    assert {each["url"] for each in shop.lines() if each["state"] == "kept"} >= {one}
    assert shop.state(two) == "gone"
    assert "! 1 media missing" in said.out
    assert len([path for path in (shop.media / "sha256").rglob("*") if path.is_file()]) == 1
    assert not shop.parts()
    asked = len(shop.server.seen)
    again = shop.fetch()
    assert again.code == 0
    assert "!" not in again.out
    assert len(shop.server.seen) == asked
    assert shop.terminal.run("media", "verify", "t", "--deep").code == 0


@pytest.mark.contract("M4")
def test_expired_signatures_are_renewed_fifty_at_a_time(shop: Shop) -> None:
    shop.server.signed = True
    for number in range(120):
        shop.attach(f"{number}.bin", b"x%d" % number, query="?ex=1&is=1&hm=good&")
    said = shop.fetch()
    assert said.code == 0, said.err
    assert [len(urls) for urls in shop.server.refreshed] == [50, 50, 20]
    assert all(shop.stored(b"x%d" % number) for number in range(120))
    for path, headers in shop.server.seen:
        if "/api/" not in path:
            assert "authorization" not in headers


@pytest.mark.contract("M4")
def test_what_is_gone_is_told_once_and_tried_again_only_when_asked(shop: Shop) -> None:
    url = shop.attach("late.png", None, size=4)
    path = url.removeprefix("https://cdn.discordapp.com")
    assert "! 1 media missing" in shop.fetch().out
    assert shop.state(url) == "gone"
    assert shop.server.asked(path) == 2
    assert len(shop.server.refreshed) == 1
    shop.server.files[path] = b"late"
    assert "!" not in shop.fetch().out
    assert shop.server.asked(path) == 2
    assert shop.terminal.run("media", "retry", "--gone", "t").code == 0
    assert shop.state(url) == "kept"


@pytest.mark.contract("M4")
def test_without_a_refresh_nobody_says_that_it_is_gone(shop: Shop) -> None:
    url = shop.attach("late.png", None, size=4)
    shop.terminal = Terminal(folder=shop.terminal.folder, variables={"DCE_DISCORD_CDN_BASE": shop.server.base})
    said = shop.fetch("--strict")
    assert said.code == 8
    assert shop.state(url) == "failed"


@pytest.mark.contract("M3")
def test_a_cut_body_is_resumed_from_where_it_was_cut(shop: Shop) -> None:
    data = random.Random(1).randbytes(400_000)
    url = shop.attach("big.bin", data)
    path = url.removeprefix("https://cdn.discordapp.com")
    cuts = [150_000]

    def cut(handler: Any, _: bytes) -> bool:
        if not cuts:
            return False
        handler.cut(data, cuts.pop())
        return True

    shop.server.trouble[path] = cut
    said = shop.fetch()
    assert said.code == 0, said.err
    assert shop.stored(data)
    ranges = [headers.get("range") for each, headers in shop.server.seen if each.startswith(path)]
    assert ranges == [None, "bytes=150000-"]
    assert not shop.parts()


@pytest.mark.contract("M3")
@pytest.mark.parametrize("served", [b"shor", b"much longer than told"])
def test_a_body_of_another_length_is_not_kept(shop: Shop, served: bytes) -> None:
    url = shop.attach("x.bin", served, size=8)
    said = shop.fetch()
    assert "! 1 media missing" in said.out
    assert shop.state(url) == "failed"
    assert not list((shop.media / "sha256").rglob("*/*"))
    assert not shop.parts()


@pytest.mark.contract("M1")
def test_too_large_and_excluded_media_are_not_asked_for(tmp_path: Path, media_host: MediaServer) -> None:
    shop = Shop(tmp_path, media_host, media_max_file="10B", media_exclude=["*.exe"])
    large = shop.attach("big.png", b"x" * 11)
    program = shop.attach("evil.EXE", b"x")
    small = shop.attach("ok.png", b"x" * 10)
    empty = shop.attach("empty.png", b"")
    said = shop.fetch("--strict")
    assert said.code == 0, said.out
    assert [shop.state(url) for url in (large, program, small, empty)] == ["too_large", "excluded", "kept", "kept"]
    assert len(media_host.seen) == 2


@pytest.mark.contract("M1")
def test_a_budget_ends_a_run_and_the_next_goes_on(tmp_path: Path, media_host: MediaServer) -> None:
    shop = Shop(tmp_path, media_host, media_budget=25, media_jobs=1)
    for number in range(5):
        shop.attach(f"{number}.bin", b"%d" % number * 10)
    said = shop.fetch()
    assert "! 3 media wait" in said.out
    assert len(shop.lines()) == 2
    shop.fetch()
    shop.fetch()
    assert [line["state"] for line in shop.lines()] == ["kept"] * 5


@pytest.mark.contract("M6")
def test_other_hosts_users_and_redirects_are_never_followed(shop: Shop) -> None:
    with media_server() as other:
        other.files["/x"] = b"x"
        url = shop.attach("x.bin", b"x")
        path = url.removeprefix("https://cdn.discordapp.com")
        shop.server.trouble[path] = lambda handler, _: handler.answer(302, b"", {"Location": f"{other.base}/x"}) or True
        bad = [
            f"{other.base}/x",
            "https://127.0.0.1/x",
            "https://user@cdn.discordapp.com/x",
            "https://cdn.discordapp.com\\@127.0.0.1/x",
            "http://cdn.discordapp.com/x",
            "https://cdn.discordapp.com:8443/x",
            "https://cdn.discordapp.com.evil.example/x",
            "https://cdn.discordapp.com/a b",
        ]
        for each in bad:
            shop.attach("y.bin", b"y")
            shop.messages[-1]["attachments"][0]["url"] = each
        shop.save()
        assert shop.fetch().code == 0
        assert shop.state(url) == "failed"
        assert {shop.state(each) for each in bad} == {"excluded"}
        assert not other.seen
        assert {path.partition("?")[0] for path, _ in shop.server.seen} == {path}


@pytest.mark.contract("M6")
@pytest.mark.parametrize(
    "host", ["*.discordapp.com", "10.0.0.1", "[::1]", "http://example.com", "localhost", "http://127.0.0.1"]
)
def test_hosts_that_could_lead_inside_are_refused_by_lint(shop: Shop, host: str) -> None:
    shop.configure(media_hosts=[host])
    assert shop.terminal.run("lint", "scrape-targets.json").code == 3
    shop.configure(media_hosts=["media.example.org", "http://127.0.0.1:8080"])
    said = shop.terminal.run("lint", "scrape-targets.json")
    assert said.code == 0, said.out


@pytest.mark.contract("M9", "M7")
def test_what_does_not_agree_is_found_by_verify_and_audit(shop: Shop) -> None:
    one, two, three = shop.attach("1.bin", b"one"), shop.attach("2.bin", b"two"), shop.attach("3.bin", b"333")
    assert shop.fetch().code == 0
    assert shop.terminal.run("archive", "audit", str(shop.target)).code == 0
    digests = {line["url"]: line["sha256"] for line in shop.lines()}

    def place(digest: str) -> Path:
        return shop.media / "sha256" / digest[:2] / digest

    place(digests[one]).unlink()
    place(digests[two]).write_bytes(b"TWO")
    stray = hashlib.sha256(b"stray").hexdigest()
    place(stray).parent.mkdir(exist_ok=True)
    place(stray).write_bytes(b"stray")
    with (shop.media / "media.jsonl").open("a") as ledger:
        ledger.write("no json\n")
    said = shop.terminal.run("media", "verify", "t")
    assert said.code == 1
    assert digests[one] in said.out
    assert stray in said.out
    assert "line 4" in said.out
    assert digests[two] not in said.out
    deep = shop.terminal.run("media", "verify", "t", "--deep")
    assert digests[two] in deep.out
    assert digests[three] not in deep.out
    audit = shop.terminal.run("archive", "audit", str(shop.target))
    assert audit.code == 1
    assert digests[one] in audit.out
    plan = shop.terminal.run("media", "gc", "t")
    assert stray in plan.out
    assert place(stray).exists()
    assert shop.terminal.run("media", "gc", "t", "--apply").code == 0
    assert not place(stray).exists()
    assert place(digests[three]).exists()


@pytest.mark.contract("M9")
def test_a_proof_holds_the_ledgers_old_bytes(shop: Shop) -> None:
    shop.attach("1.bin", b"one")
    shop.fetch()
    snapshot = str(shop.terminal.folder / "before.json")
    assert shop.terminal.run("archive", "snapshot", str(shop.target), "--output", snapshot).code == 0
    shop.attach("2.bin", b"two")
    shop.fetch()
    proved = shop.terminal.run("archive", "prove", snapshot, str(shop.target))
    assert proved.code in {0, 1}
    assert "media.jsonl" not in proved.out
    ledger = shop.media / "media.jsonl"
    ledger.write_bytes(ledger.read_bytes()[1:])
    broken = shop.terminal.run("archive", "prove", snapshot, str(shop.target))
    assert broken.code != 0
    assert "media.jsonl" in broken.out


@pytest.mark.contract("M7")
def test_an_export_has_names_as_discordchatexporter_makes_them(shop: Shop) -> None:
    url = shop.attach("pic%20one.png", b"picture")
    gone = shop.attach("gone.png", None)
    shop.fetch()
    out = shop.terminal.folder / "out"
    before = shop.file.read_bytes()
    assert shop.terminal.run("media", "export", str(shop.file), str(out)).code == 0
    made = json.loads((out / shop.file.name).read_text())
    mark = hashlib.sha256(url.encode()).hexdigest()[:5].upper()
    name = f"pic%20one-{mark}.png"
    assert (out / f"{shop.file.name}_Files" / name).read_bytes() == b"picture"
    assert made["messages"][0]["attachments"][0]["url"] == f"{shop.file.name}_Files/{name}"
    assert made["messages"][1]["attachments"][0]["url"].startswith(gone)
    assert shop.file.read_bytes() == before


@pytest.mark.contract("M7")
def test_files_whose_names_would_be_the_same_keep_their_own_bytes(shop: Shop) -> None:
    """Five digits of a digest are the same for two of some thousand files: each URL must lead to its own bytes."""
    seen: dict[str, int] = {}
    for number in itertools.count(7001):
        name = exported_name(f"https://cdn.discordapp.com/attachments/{CHANNEL}/{number}/image.png")
        if name in seen:
            break
        seen[name] = number
    contents = {}
    for each in (seen[name], number):
        shop.number(each)
        contents[shop.attach("image.png", str(each).encode())] = str(each).encode()
    assert shop.fetch().code == 0
    out = shop.target.parent / "out"
    assert shop.terminal.run("media", "export", str(shop.file), str(out)).code == 0
    exported = json.loads((out / shop.file.name).read_bytes())
    found = [out / message["attachments"][0]["url"] for message in exported["messages"]]
    assert [path.read_bytes() for path in found] == list(contents.values())


def _step(shop: Shop, **params: object) -> Any:
    shop.terminal.write(
        "p.yml",
        "version: 1\nname: p\nsteps:\n  - name: fetch\n    media.fetch: "
        + json.dumps({"target": "t", **params})
        + "\n",
    )
    return shop.terminal.run("run", "p.yml", "--output", "jsonl")


@pytest.mark.contract("M5", "M10")
def test_the_step_is_not_ok_where_the_store_cannot_be_used(shop: Shop) -> None:
    shop.attach("a.png", b"a")
    (shop.media / "media.jsonl").mkdir(parents=True)
    said = _step(shop)
    assert said.code == 1, said.out
    assert "are not kept" in said.out + said.err
    assert shop.fetch().code == 1


@pytest.mark.contract("M10")
def test_the_step_fails_for_missing_media_only_when_strict(shop: Shop) -> None:
    shop.attach("gone.png", None, size=3)
    assert _step(shop).code == 0
    shop.attach("gone-too.png", None, size=3)
    assert _step(shop, strict=True).code == 1


@pytest.mark.contract("M2")
def test_one_content_under_many_urls_is_one_file(shop: Shop) -> None:
    for number in range(300):
        shop.attach(f"{number}.png", b"the same")
    assert shop.fetch().code == 0
    assert len({line["sha256"] for line in shop.lines()}) == 1
    assert len(shop.lines()) == 300
    assert len([path for path in (shop.media / "sha256").rglob("*") if path.is_file()]) == 1


@pytest.mark.contract("M6")
@pytest.mark.parametrize(
    "name",
    ["../../../../etc/passwd", "n" * 300 + ".png", "a\tb\u0007\u202e.png", "..", ".", "-rf", "con\n.png", "é" * 200],
)
def test_names_from_outside_never_become_paths(shop: Shop, name: str) -> None:
    before = set(shop.target.parent.parent.rglob("*"))
    shop.attach("plain.png", b"x")
    shop.messages[0]["attachments"][0]["fileName"] = name
    shop.save()
    assert shop.fetch().code == 0
    assert shop.lines()[0]["name"] == name
    new = set(shop.target.parent.parent.rglob("*")) - before
    outside = {path.name for path in new if not path.is_relative_to(shop.target)}
    assert outside <= {".dce-scrape.lock"}, outside
    out = shop.target.parent / "out"
    assert shop.terminal.run("media", "export", str(shop.file), str(out)).code == 0
    assert len(list(out.rglob("*"))) == 3


@pytest.mark.contract("M1")
def test_ten_gigabytes_are_broken_off_at_max_file(tmp_path: Path, media_host: MediaServer) -> None:
    shop = Shop(tmp_path, media_host, media_max_file="1MB")
    shop.attach("huge.bin", b"x")
    del shop.messages[0]["attachments"][0]["fileSizeBytes"]
    shop.save()
    sent = []

    def endless(handler: Any, _data: bytes) -> bool:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        block = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(160_000):
                handler.wfile.write(block)
                sent.append(1)
        handler.close_connection = True
        return True

    media_host.trouble[f"/attachments/{CHANNEL}/7001/huge.bin"] = endless
    assert shop.fetch().code == 0
    assert shop.lines()[-1]["state"] == "too_large"
    assert len(sent) < 1000  # of 64 KiB
    assert not shop.parts()


@pytest.mark.contract("M8")
def test_adopt_takes_over_what_media_left(shop: Shop) -> None:
    urls = [shop.attach("a.png", b"first"), shop.attach("b.png", b"second"), shop.attach("c.png", b"third")]
    folder = shop.target / f"{shop.file.name}_Files"
    folder.mkdir()
    digests = [hashlib.sha256(url.encode()).hexdigest() for url in urls]
    (folder / f"a-{digests[0][:5].upper()}.png").write_bytes(b"first")
    (folder / f"b-{digests[1][:16]}.png").write_bytes(b"second")
    (shop.terminal.folder / "outside").write_bytes(b"third")
    (folder / f"c-{digests[2][:5]}.png").symlink_to(shop.terminal.folder / "outside")
    for message in shop.messages:
        name = message["attachments"][0]["fileName"]
        message["attachments"][0]["url"] = f"{shop.file.name}_Files/{name}"
    shop.save()
    said = shop.terminal.run("archive", "adopt", str(shop.target))
    assert "Took over 2 media" in said.out, said.out + said.err
    assert {line["url"] for line in shop.lines()} == set(urls[:2])
    shop.fetch()
    assert [path.partition("?")[0] for path, _ in shop.server.seen] == [
        urls[2].removeprefix("https://cdn.discordapp.com")
    ]


@pytest.mark.contract("M2")
def test_a_torn_last_line_is_no_finding_and_the_next_fetch_cuts_it_off(shop: Shop) -> None:
    shop.attach("1.bin", b"one")
    shop.fetch()
    ledger = shop.media / "media.jsonl"
    whole = ledger.read_bytes()
    ledger.write_bytes(whole + whole[:40])
    assert shop.terminal.run("media", "verify", "t").code == 0
    shop.attach("2.bin", b"two")
    shop.fetch()
    assert ledger.read_bytes().startswith(whole)
    assert len(shop.lines()) == 2


@pytest.mark.contract("M3")
def test_killed_at_any_moment_a_file_is_whole_or_not_there(shop: Shop) -> None:
    dice = random.Random(5)
    contents = [dice.randbytes(dice.randrange(200_000)) for _ in range(60)]
    for number, data in enumerate(contents):
        shop.attach(f"{number}.bin", data)
    for _ in range(12):
        started = subprocess.Popen(
            shop.terminal.argv("media", "fetch", "t"),
            cwd=shop.terminal.folder,
            env=shop.terminal.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(dice.uniform(0.2, 0.9))
        started.send_signal(signal.SIGKILL)
        started.wait(10)
        for path in (shop.media / "sha256").rglob("*/*") if shop.media.exists() else ():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    said = shop.fetch()
    assert said.code == 0, said.err
    assert all(map(shop.stored, contents))
    assert len({line["url"] for line in shop.lines()}) == len(shop.lines()) == 60
    assert not shop.parts()
    assert shop.terminal.run("media", "verify", "t", "--deep").code == 0


@pytest.mark.contract("M1")
def test_all_keeps_pictures_of_every_kind_and_nothing_of_other_servers(tmp_path: Path, media_host: MediaServer) -> None:
    shop = Shop(tmp_path, media_host, media="all")
    shop.attach("a.png", b"a")
    message = shop.messages[0]
    message["embeds"] = [{"thumbnail": {"url": "https://media.discordapp.net/t.png"}}]
    message["stickers"] = [{"sourceUrl": "https://cdn.discordapp.com/stickers/1.png"}]
    emoji = ["https://cdn.discordapp.com/emojis/1.png", "https://cdn.jsdelivr.net/e.svg"]
    message["inlineEmojis"] = [{"imageUrl": url} for url in emoji]
    shop.save()
    for path in ("/t.png", "/stickers/1.png", "/emojis/1.png", "/avatars/1/a.png", "/icons/1/i.png"):
        media_host.files[path] = path.encode()
    assert shop.fetch().code == 0
    kept = {line["kind"] for line in shop.lines() if line["state"] == "kept"}
    assert kept == {"attachment", "embed_thumbnail", "sticker", "emoji", "avatar", "guild_icon"}
    assert shop.state(emoji[1]) == "excluded"
    icon = next(line for line in shop.lines() if line["kind"] == "guild_icon")
    assert icon["message_id"] is icon["channel_id"] is None
    assert icon["url"].endswith("?size=512")
