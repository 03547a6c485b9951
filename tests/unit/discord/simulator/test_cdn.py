"""The simulated media server over real HTTP: signatures that end, ranges, refreshed URLs, and what goes wrong."""

import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from dce_play.discord.simulator.faults import Dripping, Fault, Faults, Lengthened, Truncated
from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.world import Kind
from dce_play.discord.simulator.worlds import Size, build_world

pytestmark = pytest.mark.contract("M10")


@contextmanager
def served(**more: Any) -> Iterator[tuple[Simulator, httpx2.Client, list[dict[str, Any]]]]:
    """Give a simulator, a client without a token, and all attachments that the first channel names."""
    world = build_world(1, size=Size(channels=1, messages=60))
    with running_simulator(world, media=True, **more) as simulator, httpx2.Client(trust_env=False) as client:
        yield simulator, client, attachments(simulator, client)


def attachments(simulator: Simulator, client: httpx2.Client) -> list[dict[str, Any]]:
    channel = next(each.channel_id for each in simulator.world.channels() if each.kind is Kind.TEXT)
    headers = {"Authorization": simulator.token}
    page = client.get(f"{simulator.base_url}/channels/{channel}/messages?limit=100", headers=headers).json()
    forwarded = [each["message"] for message in page for each in message.get("message_snapshots", ())]
    return [attachment for message in [*page, *forwarded] for attachment in message["attachments"]]


def get(simulator: Simulator, client: httpx2.Client, url: str, **headers: str) -> httpx2.Response:
    parts = urlsplit(url)
    assert parts.hostname in {"cdn.discordapp.com", "media.discordapp.net"}
    asked = f"{simulator.cdn_base}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    return client.get(asked, headers=headers)


def test_every_attachment_is_served_at_its_length_and_type_forwarded_ones_too() -> None:
    with served() as (simulator, client, found):
        assert {each["filename"] for each in found} >= {"forwarded.png", "picture ü.png", "voice-message.ogg"}
        for each in found:
            for key in ("url", "proxy_url"):
                answer = get(simulator, client, each[key])
                assert (answer.status_code, len(answer.content)) == (200, each["size"])
                assert answer.headers["content-type"] == each["content_type"]


def test_a_picture_is_a_real_one() -> None:
    with served() as (simulator, client, found):
        data = get(simulator, client, next(each for each in found if each["size"] > 5000)["url"]).content
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        length = struct.unpack(">I", data[33:37])[0]
        assert data[37:41] == b"IDAT"
        assert zlib.crc32(data[37 : 41 + length]) == struct.unpack(">I", data[41 + length : 45 + length])[0]
        assert len(zlib.decompress(data[41 : 41 + length])) == 48 * (1 + 64 * 3)


def test_without_a_signature_of_ours_nothing_is_served() -> None:
    with served() as (simulator, client, found):
        url = found[0]["url"]
        bare, _, query = url.partition("?")
        forged = ("", "?ex=ffffffff&is=1&hm=3&", f"?{query.replace('hm=', 'hm=0')}", "?ex=x&is=y&hm=z")
        assert [get(simulator, client, bare + each).status_code for each in forged] == [404] * 4
        other = found[1]["url"].partition("?")[0]
        assert get(simulator, client, f"{other}?{query}").status_code == 404
        assert get(simulator, client, url).status_code == 200


def test_a_signature_ends_and_a_refreshed_one_holds() -> None:
    with served(signatures_last_s=1.0) as (simulator, client, found):
        urls = [each["url"] for each in found[:3]]
        while int(urls[0].partition("ex=")[2].partition("&")[0], 16) > time.time():
            time.sleep(0.05)
        assert {get(simulator, client, url).status_code for url in urls} == {404}
        refresh = f"{simulator.base_url}/attachments/refresh-urls"
        assert client.post(refresh, json={"attachment_urls": urls}).status_code == 401
        pairs = client.post(refresh, json={"attachment_urls": urls}, headers={"Authorization": simulator.token}).json()[
            "refreshed_urls"
        ]
        assert [pair["original"] for pair in pairs] == urls
        assert {get(simulator, client, pair["refreshed"]).status_code for pair in pairs} == {200}


def test_all_signatures_end_when_told() -> None:
    with served() as (simulator, client, found):
        simulator.expire()
        assert get(simulator, client, found[0]["url"]).status_code == 404
        assert get(simulator, client, attachments(simulator, client)[0]["url"]).status_code == 200


def test_more_than_fifty_are_not_refreshed_at_once() -> None:
    with served() as (simulator, client, found):
        for body in ({"attachment_urls": [found[0]["url"]] * 51}, {"attachment_urls": [1]}, {}):
            answer = client.post(
                f"{simulator.base_url}/attachments/refresh-urls", json=body, headers={"Authorization": simulator.token}
            )
            assert answer.status_code == 400


def test_a_range_continues_what_was_cut() -> None:
    with served() as (simulator, client, found):
        url = found[0]["url"]
        whole = get(simulator, client, url)
        etag = whole.headers["etag"]
        rest = get(simulator, client, url, **{"Range": "bytes=100-", "If-Range": etag})
        assert (rest.status_code, rest.content) == (206, whole.content[100:])
        assert rest.headers["content-range"] == f"bytes 100-{found[0]['size'] - 1}/{found[0]['size']}"
        assert get(simulator, client, url, **{"Range": "bytes=100-", "If-Range": '"other"'}).content == whole.content
        assert get(simulator, client, url, Range=f"bytes={found[0]['size']}-").status_code == 416


def test_what_nobody_named_is_not_there() -> None:
    with served() as (simulator, client, found):
        parts = found[0]["url"].partition("?")[0].rsplit("/", 2)
        for wrong in (f"{parts[0]}/1/{parts[2]}", f"{parts[0]}/{parts[1]}/other.png"):
            signed = client.post(
                f"{simulator.base_url}/attachments/refresh-urls",
                json={"attachment_urls": [wrong]},
                headers={"Authorization": simulator.token},
            ).json()["refreshed_urls"][0]["refreshed"]
            assert get(simulator, client, signed).status_code == 404


def test_a_body_may_be_of_another_length_drip_or_be_cut() -> None:
    with served() as (simulator, client, found):
        url, size = found[0]["url"], found[0]["size"]
        scripted = [
            Fault(trouble=Lengthened(by=5), path="/attachments/*"),
            Fault(trouble=Lengthened(by=-5), path="/attachments/*", skip=0),
            Fault(trouble=Dripping(size=size // 4, every_s=0.01), path="/attachments/*"),
        ]
        lengths = []
        for each in scripted:
            simulator.play(Faults(scripted=(each,)))
            lengths.append(len(get(simulator, client, url).content))
        assert lengths == [size + 5, size - 5, size]
        simulator.play(Faults(scripted=(Fault(trouble=Truncated(), path="/attachments/*"),)))
        with pytest.raises(httpx2.RemoteProtocolError):
            get(simulator, client, url)
