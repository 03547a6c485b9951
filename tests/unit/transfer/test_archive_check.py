"""An archive is taken when every reader sees the same safe members in it, and refused with the code that says why."""

import hashlib
import io
import json
import os
import random
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard

from dce_play.transfer.archive_check import ArchiveCheck, ArchiveLimits, CheckedArchive
from dce_play.transfer.member_names import NameLimits
from dce_play.transfer.refused import ArchiveRefused

COMMIT = "0123456789abcdef0123456789abcdef01234567"
META = json.dumps({"code_version": {"commit": COMMIT}, "host_id": "lab-1"}).encode()
ID = "ep-1"


def member(name: str | bytes, data: bytes = b"", *, kind: bytes = b"0", magic: bytes = b"ustar\x0000") -> bytes:
    """Return one header with its data, as ustar or, with another magic, as whatever that is."""
    raw = name.encode() if isinstance(name, str) else name
    block = bytearray(512)
    block[: len(raw)] = raw
    block[100:124] = b"0000644\0" + b"0000000\0" * 2
    block[124:136] = b"%011o\0" % len(data)
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257 : 257 + len(magic)] = magic
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + data + bytes(-len(data) % 512)


def pax(text: bytes, kind: bytes = b"x") -> bytes:
    return member("pax", text, kind=kind)


def record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return str(length).encode() + body


def packed(*members: bytes, end: bytes = bytes(1024)) -> bytes:
    return zstandard.ZstdCompressor().compress(b"".join(members) + end)


def checked(data: bytes, *, piece: int = 1 << 16, limits: ArchiveLimits | None = None) -> CheckedArchive:
    check = ArchiveCheck(ID, limits or ArchiveLimits())
    for start in range(0, len(data), piece):
        check.feed(data[start : start + piece])
    return check.finish()


def refusal(data: bytes, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(ArchiveRefused) as caught:
        checked(data, limits=limits)
    return caught.value.code


TOP = member(f"{ID}/", kind=b"5")
WITH_META = member(f"{ID}/meta.json", META)


@pytest.fixture
def episode(tmp_path: Path) -> Path:
    folder = tmp_path / ID
    (folder / "sub" / "empty").mkdir(parents=True)
    (folder / "meta.json").write_bytes(META)
    (folder / "sub-x").write_bytes(b"")
    (folder / "sub" / "é").write_bytes(b"two")
    (folder / ("n" * 150)).write_bytes(os.urandom(300_000))
    return folder


@pytest.mark.parametrize("form", ["gnu", "pax"])
@pytest.mark.parametrize("piece", [1, 511, 1 << 20])
def test_what_gnu_tar_packs_is_taken_and_has_the_digest_of_its_files(episode: Path, form: str, piece: int) -> None:
    tar = subprocess.run(
        ["tar", f"--format={form}", "-C", episode.parent, "-c", ID], capture_output=True, check=True
    ).stdout
    found = checked(zstandard.ZstdCompressor().compress(tar), piece=piece)
    lines = [b"sub/empty/\x000\0\n"]
    for path in (each for each in episode.rglob("*") if each.is_file()):
        data = path.read_bytes()
        name = path.relative_to(episode).as_posix().encode()
        lines.append(b"%s\0%d\0%s\n" % (name, len(data), hashlib.sha256(data).hexdigest().encode()))
    assert found.manifest_digest == "sha256:" + hashlib.sha256(b"".join(sorted(lines))).hexdigest()
    assert (found.files, found.commit, found.host_id) == (4, COMMIT, "lab-1")


def test_several_frames_are_one_archive() -> None:
    tar = TOP + WITH_META + bytes(1024)
    frames = b"".join(zstandard.ZstdCompressor().compress(tar[at : at + 700]) for at in range(0, len(tar), 700))
    assert checked(frames, piece=3).files == 1


def test_frames_with_checksums_and_without_sizes_are_taken() -> None:
    packer = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compressobj()
    assert checked(packer.compress(WITH_META + bytes(1024)) + packer.flush(), piece=1).files == 1


GOOD = packed(TOP, WITH_META)


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("archive_invalid", b""),
        ("archive_invalid", b"no zstd at all, but long enough"),
        ("archive_invalid", GOOD + b"x"),
        ("archive_invalid", GOOD + b"trailing garbage"),
        ("archive_invalid", GOOD[:-1]),
        ("archive_invalid", GOOD[:10]),
        ("archive_invalid", GOOD + b"\x50\x2a\x4d\x18\x04\x00\x00\x00hide"),
        ("archive_invalid", packed(WITH_META, end=b"")),
        ("archive_invalid", packed(WITH_META, end=bytes(512))),
        ("archive_invalid", packed(WITH_META, bytes(512), WITH_META)),
        ("archive_invalid", packed(WITH_META, end=bytes(1024) + b"x")),
        ("archive_invalid", packed(WITH_META[:600], end=b"")),
        ("archive_invalid", packed(b"\x01" + WITH_META[1:])),
        ("archive_invalid", packed(member(f"{ID}/d", b"x", kind=b"5"), WITH_META)),
        ("archive_invalid", packed(pax(b"99 path=x\n"), WITH_META)),
        ("archive_invalid", packed(WITH_META, pax(record("path", f"{ID}/x")))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/l", kind=b"1"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/l", kind=b"2"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/l", kind=b"3"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/l", kind=b"4"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/l", kind=b"6"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/l", kind=b"7"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/l", kind=b"S", magic=b"ustar  \0"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/l", b"x", kind=b"K", magic=b"ustar  \0"))),
        ("archive_unsafe", packed(member(f"/{ID}/meta.json", META))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/../x"))),
        ("archive_unsafe", packed(member(f"./{ID}/meta.json", META))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}//x"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/x/"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/a\\b"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/a\nb"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/a\u0085b"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/".encode() + b"\xff"))),
        ("archive_unsafe", packed(WITH_META, pax(record("path", f"{ID}/a\0b")), member("x"))),
        ("archive_unsafe", packed(WITH_META, pax(record("GNU.sparse.major", "1")), member(f"{ID}/x"))),
        ("archive_unsafe", packed(WITH_META, pax(record("path", f"{ID}/y"), b"g"), member(f"{ID}/x"))),
        ("archive_unsafe", packed(WITH_META, WITH_META)),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/A"), member(f"{ID}/a"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/ß"), member(f"{ID}/SS"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/é"), member(f"{ID}/e\u0301"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/D/x"), member(f"{ID}/d/y"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/f"), member(f"{ID}/f/x"))),
        ("archive_unsafe", packed(WITH_META, member(f"{ID}/f/x"), member(f"{ID}/f"))),
        ("wrong_root", packed(member("other/meta.json", META))),
        ("wrong_root", packed(WITH_META, member("ep-10/x"))),
        ("wrong_root", packed(member(ID, META))),
        ("meta_missing", packed(TOP)),
        ("meta_missing", packed()),
        ("meta_missing", packed(member(f"{ID}/sub/meta.json", META))),
        ("bad_meta", packed(member(f"{ID}/meta.json", b"[1]"))),
        ("bad_meta", packed(member(f"{ID}/meta.json", b'{"a":'))),
        ("bad_meta", packed(member(f"{ID}/meta.json", "{}".encode("utf-16")))),
        ("bad_meta", packed(member(f"{ID}/meta.json", b"[" * 100_000))),
    ],
)
def test_each_broken_rule_has_its_code(code: str, data: bytes) -> None:
    assert refusal(data) == code


def test_a_window_above_128_mib_is_refused_before_its_memory_is_taken() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=28)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    assert refusal(packer.compress(WITH_META + bytes(1024)) + packer.flush()) == "archive_unsafe"


def test_limits_are_413() -> None:
    def names(**limits: int) -> ArchiveLimits:
        return ArchiveLimits(names=NameLimits(**limits))

    two = packed(WITH_META, member(f"{ID}/a/b/c"))
    assert refusal(two, names(members=1)) == "too_large"
    assert refusal(two, names(depth=2)) == "too_large"
    assert refusal(two, names(path_bytes=4)) == "too_large"
    assert refusal(two, ArchiveLimits(unpacked_bytes=100)) == "too_large"
    bomb = packed(WITH_META, member(f"{ID}/zeros", bytes(80 << 20)))
    assert refusal(bomb, ArchiveLimits(ratio=1000)) == "too_large"
    assert checked(bomb, limits=ArchiveLimits(ratio=1_000_000)).files == 2


def test_an_episode_without_a_commit_is_unstamped() -> None:
    for version in ({}, {"commit": COMMIT.upper()}, {"commit": COMMIT[:39]}, {"commit": 1}, None):
        meta = json.dumps({"code_version": version}).encode()
        assert checked(packed(member(f"{ID}/meta.json", meta))).commit is None


def test_any_damage_ends_in_a_code_or_in_the_same_episode() -> None:
    whole = checked(GOOD)
    chance = random.Random(7)
    for _ in range(3000):
        data = bytearray(GOOD)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with suppress(ArchiveRefused):
            assert checked(bytes(data)).files >= whole.files


def test_whatever_is_taken_is_what_python_would_unpack() -> None:
    """Headers with random changes and right checksums: two readers must see the same members, or we refuse."""
    chance = random.Random(3)
    seeds = [
        TOP + WITH_META + member(f"{ID}/a", b"x" * 700) + member(f"{ID}/d/", kind=b"5"),
        WITH_META + pax(record("path", f"{ID}/long")) + member("short", b"y" * 20),
        WITH_META
        + member("././@LongLink", f"{ID}/gnu".encode() + b"\0", kind=b"L")
        + member("z", b"w", magic=b"ustar  \0"),
    ]
    taken = 0
    for _ in range(3000):
        tar = bytearray(chance.choice(seeds) + bytes(1024))
        at = 512 * chance.randrange(len(tar) // 512 - 2)
        for _ in range(chance.randint(1, 2)):
            tar[at + chance.choice([0, 3, 99, 124, 134, 156, 257, 263, 345, chance.randrange(512)])] = chance.choice(
                [0, 0x20, 0x2F, 0x30, 0x31, 0x35, 0x78, 0x80, chance.randrange(256)]
            )
        tar[at + 148 : at + 156] = b" " * 8
        tar[at + 148 : at + 156] = b"%06o\0 " % sum(tar[at : at + 512])
        try:
            found = checked(zstandard.ZstdCompressor(level=1).compress(bytes(tar)))
        except ArchiveRefused:
            continue
        taken += 1
        with tarfile.open(fileobj=io.BytesIO(bytes(tar))) as other:
            files = [each for each in other if each.isreg()]
            lines = []
            for each in files:
                content = other.extractfile(each)
                assert content is not None
                data = content.read()
                name = each.name.removeprefix(f"{ID}/").encode()
                lines.append(b"%s\0%d\0%s\n" % (name, len(data), hashlib.sha256(data).hexdigest().encode()))
            names = [each.name for each in other]
            folders = {each.name.removeprefix(f"{ID}/") for each in other if each.isdir()} - {ID}
            lines += [
                f"{each}/".encode() + b"\x000\0\n"
                for each in folders
                if not any(n.startswith(f"{ID}/{each}/") for n in names)
            ]
        assert found.manifest_digest == "sha256:" + hashlib.sha256(b"".join(sorted(lines))).hexdigest(), bytes(tar)
    assert taken > 150


def test_what_python_packs_is_taken() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("meta.json", "ü" * 120, "d/" * 20 + "x"):
            info = tarfile.TarInfo(f"{ID}/{name}")
            info.size = len(META)
            info.mtime = 1.5  # a fraction makes a pax header
            tar.addfile(info, io.BytesIO(META))
    assert checked(zstandard.ZstdCompressor().compress(out.getvalue())).files == 3


def test_a_zstd_block_has_128_kib_at_most() -> None:
    from dce_play.transfer.zstd_frames import _LARGEST_BLOCK_BYTES, ZstdStream

    def frame(size: int) -> bytes:
        """One frame of one block: a byte that comes so many times."""
        return b"\x28\xb5\x2f\xfd\x00\x38" + (1 | 1 << 1 | size << 3).to_bytes(3, "little") + b"x"

    taken: list[bytes] = []
    frames = ZstdStream(taken.append)
    frames.feed(frame(_LARGEST_BLOCK_BYTES))
    frames.finish()
    assert sum(map(len, taken)) == _LARGEST_BLOCK_BYTES
    with pytest.raises(ArchiveRefused, match="a zstd block is damaged"):
        ZstdStream(taken.append).feed(frame(_LARGEST_BLOCK_BYTES + 1))
