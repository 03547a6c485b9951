"""Encryption to age and gpg: what goes in comes out, anything less is an error, and nothing is held in memory."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.filters import age, gpg
from dce_play.backup.protocols import Filter
from dce_play.backup.streams import Sink, chunks
from tests.support.engine_services import EngineServices, FileSink, FileSource

DATA = os.urandom(70_000) * 3


def encrypted(making: Filter, data: bytes, path: Path) -> bytes:
    out = FileSink(path)
    try:
        sink = making.into(out)
        for at in range(0, len(data), 50_000):
            sink.write(data[at : at + 50_000])
        sink.finish()
    finally:
        out.finish()
    return path.read_bytes()


def push(sink: Sink, data: bytes, *, times: int) -> None:
    for _ in range(times):
        sink.write(data)
    sink.finish()


def decrypted(reading: Filter, path: Path) -> bytes:
    source = reading.reading(FileSource(path))
    try:
        return b"".join(chunks(source))
    finally:
        source.abort()


@pytest.fixture(scope="module")
def gpg_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give the environment of a key ring with one key, and its fingerprint."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    environment = {**os.environ, "GNUPGHOME": str(home)}
    make = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "me@example.test", "rsa2048", "encr", "never"]
    subprocess.run(make, env=environment, check=True, capture_output=True, timeout=60)
    listed = subprocess.run(
        ["gpg", "--with-colons", "--list-keys"], env=environment, check=True, capture_output=True, text=True
    ).stdout
    environment["FPR"] = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
    yield environment
    subprocess.run(["gpgconf", "--kill", "all"], env=environment, check=False, timeout=60)


class TestAge:
    """With an identity in a file as age-keygen writes it."""

    @pytest.fixture
    def keys(self, tmp_path: Path) -> tuple[str, str]:
        identity = pyrage.x25519.Identity.generate()
        file = tmp_path / "key.txt"
        file.write_text(f"# created: today\n# public key: {identity.to_public()}\n{identity}\n", encoding="utf-8")
        return str(identity.to_public()), f"file:{file}"

    @pytest.mark.contract("E1")
    def test_what_was_encrypted_comes_back_and_is_not_readable(self, keys: tuple[str, str], tmp_path: Path) -> None:
        recipient, reference = keys
        services = EngineServices()
        for data in (DATA, b""):
            stored = encrypted(age.encrypting([recipient], services), data, tmp_path / "x.age")
            assert stored.startswith(b"age-encryption.org/v1")
            assert DATA[:64] not in stored
            assert decrypted(age.decrypting(reference, services), tmp_path / "x.age") == data

    @pytest.mark.contract("E1")
    def test_each_recipient_of_age_can_open_it(self, keys: tuple[str, str], tmp_path: Path) -> None:
        other = pyrage.x25519.Identity.generate()
        (tmp_path / "other.txt").write_text(str(other), encoding="utf-8")
        encrypted(age.encrypting([keys[0], str(other.to_public())], EngineServices()), DATA, tmp_path / "x.age")
        for reference in (keys[1], f"file:{tmp_path / 'other.txt'}"):
            assert decrypted(age.decrypting(reference, EngineServices()), tmp_path / "x.age") == DATA

    @pytest.mark.contract("E1")
    @pytest.mark.parametrize("left", [10, 100, 100_000, -1])
    def test_an_age_file_that_is_cut_is_an_error(self, keys: tuple[str, str], tmp_path: Path, left: int) -> None:
        recipient, reference = keys
        stored = encrypted(age.encrypting([recipient], EngineServices()), DATA, tmp_path / "x.age")
        (tmp_path / "x.age").write_bytes(stored[:left])
        with pytest.raises(BackupError) as caught:
            decrypted(age.decrypting(reference, EngineServices()), tmp_path / "x.age")
        assert caught.value.error_id is ErrorId.VERIFY_FAILED

    @pytest.mark.contract("E1")
    def test_a_flipped_bit_and_a_foreign_identity_are_errors(self, keys: tuple[str, str], tmp_path: Path) -> None:
        recipient, reference = keys
        stored = bytearray(encrypted(age.encrypting([recipient], EngineServices()), DATA, tmp_path / "x.age"))
        other = tmp_path / "other.txt"
        other.write_text(str(pyrage.x25519.Identity.generate()), encoding="utf-8")
        with pytest.raises(BackupError) as foreign:
            decrypted(age.decrypting(f"file:{other}", EngineServices()), tmp_path / "x.age")
        assert foreign.value.error_id is ErrorId.INVALID
        stored[len(stored) // 2] ^= 1
        (tmp_path / "x.age").write_bytes(stored)
        with pytest.raises(BackupError) as flipped:
            decrypted(age.decrypting(reference, EngineServices()), tmp_path / "x.age")
        assert flipped.value.error_id is ErrorId.VERIFY_FAILED

    @pytest.mark.contract("E3")
    def test_a_full_disk_behind_age_is_told_as_one(self, keys: tuple[str, str], tmp_path: Path) -> None:
        out = FileSink(tmp_path / "x.age", fails_after_bytes=100_000)
        sink = age.encrypting([keys[0]], EngineServices()).into(out)
        with pytest.raises(BackupError, match="no space left") as caught:
            push(sink, DATA, times=1)
        sink.abort()
        out.abort()
        assert caught.value.error_id is ErrorId.WRITE_FAILED

    @pytest.mark.contract("E1")
    def test_what_is_no_key_is_refused_without_being_repeated(self, tmp_path: Path) -> None:
        with pytest.raises(BackupError, match="not an age recipient"):
            age.encrypting(["age1nonsense"], EngineServices())
        file = tmp_path / "key"
        file.write_text("AGE-SECRET-KEY-1NONSENSE", encoding="utf-8")
        with pytest.raises(BackupError) as caught:
            age.decrypting(f"file:{file}", EngineServices())
        assert "NONSENSE" not in str(caught.value)
        with pytest.raises(BackupError) as none:
            age.decrypting(None, EngineServices())
        assert none.value.error_id is ErrorId.INVALID


class TestGpg:
    """Against the real program."""

    @pytest.mark.contract("E2")
    def test_what_gpg_encrypted_comes_back(self, gpg_home: dict[str, str], tmp_path: Path) -> None:
        services = EngineServices(environment=gpg_home)
        for data in (DATA, b""):
            stored = encrypted(gpg.encrypting([gpg_home["FPR"]], services), data, tmp_path / "x.gpg")
            assert DATA[:64] not in stored
            assert decrypted(gpg.decrypting(None, services), tmp_path / "x.gpg") == data

    @pytest.mark.contract("E2")
    def test_each_recipient_of_gpg_can_open_it(self, gpg_home: dict[str, str], tmp_path: Path) -> None:
        make = [
            "gpg",
            "--batch",
            "--passphrase",
            "",
            "--quick-generate-key",
            "you@example.test",
            "rsa2048",
            "encr",
            "never",
        ]
        subprocess.run(make, env=gpg_home, check=True, capture_output=True, timeout=60)
        listing = ["gpg", "--with-colons", "--list-keys", "you@example.test"]
        listed = subprocess.run(listing, env=gpg_home, check=True, capture_output=True, text=True).stdout
        other = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
        services = EngineServices(environment=gpg_home)
        encrypted(gpg.encrypting([gpg_home["FPR"], other], services), DATA, tmp_path / "x.gpg")
        packets = ["gpg", "--batch", "--list-packets", str(tmp_path / "x.gpg")]
        told = subprocess.run(packets, env=gpg_home, check=True, capture_output=True, text=True, timeout=60).stdout
        keys = {line.rpartition("keyid ")[2] for line in told.splitlines() if line.startswith(":pubkey enc packet")}
        assert len(keys) == 2, told

    @pytest.mark.contract("E2", "N1")
    def test_a_gpg_that_fails_after_its_last_byte_has_failed(self, gpg_home: dict[str, str], tmp_path: Path) -> None:
        real = shutil.which("gpg")
        (tmp_path / "gpg").write_text(f'#!/bin/sh\n{real} "$@" || exit\ncase "$*" in *--encrypt*) exit 2; esac\n')
        (tmp_path / "gpg").chmod(0o755)
        services = EngineServices(environment={**gpg_home, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
        with pytest.raises(BackupError, match="gpg cannot encrypt") as caught:
            encrypted(gpg.encrypting([gpg_home["FPR"]], services), DATA, tmp_path / "x.gpg")
        assert caught.value.error_id is ErrorId.ENGINE_FAILED

    @pytest.mark.contract("E2")
    def test_a_secret_key_behind_a_reference_opens_it_and_leaves_nothing(
        self, gpg_home: dict[str, str], tmp_path: Path
    ) -> None:
        encrypted(gpg.encrypting([gpg_home["FPR"]], EngineServices(environment=gpg_home)), DATA, tmp_path / "x.gpg")
        export = ["gpg", "--batch", "--armor", "--export-secret-keys", gpg_home["FPR"]]
        key = subprocess.run(export, env=gpg_home, check=True, capture_output=True, text=True, timeout=60).stdout
        empty = tmp_path / "home"
        empty.mkdir(mode=0o700)
        services = EngineServices(environment={"PATH": os.environ["PATH"], "GNUPGHOME": str(empty), "KEY": key})
        assert decrypted(gpg.decrypting("env:KEY", services), tmp_path / "x.gpg") == DATA
        with pytest.raises(BackupError) as caught:
            decrypted(gpg.decrypting(None, services), tmp_path / "x.gpg")
        assert caught.value.error_id is ErrorId.INVALID

    @pytest.mark.contract("E2")
    @pytest.mark.parametrize("left", [0, 100, 100_000, -1])
    def test_a_gpg_file_that_is_cut_is_an_error(self, gpg_home: dict[str, str], tmp_path: Path, left: int) -> None:
        services = EngineServices(environment=gpg_home)
        stored = encrypted(gpg.encrypting([gpg_home["FPR"]], services), DATA, tmp_path / "x.gpg")
        (tmp_path / "x.gpg").write_bytes(stored[:left])
        with pytest.raises(BackupError):
            decrypted(gpg.decrypting(None, services), tmp_path / "x.gpg")

    @pytest.mark.contract("E3")
    def test_a_full_disk_behind_gpg_is_told_as_one(self, gpg_home: dict[str, str], tmp_path: Path) -> None:
        out = FileSink(tmp_path / "x.gpg", fails_after_bytes=100_000)
        sink = gpg.encrypting([gpg_home["FPR"]], EngineServices(environment=gpg_home)).into(out)
        with pytest.raises(BackupError, match="no space left"):
            push(sink, DATA, times=20)
        sink.abort()
        out.abort()

    @pytest.mark.contract("E2")
    @pytest.mark.parametrize("ended", ["expired", "revoked"])
    def test_a_key_whose_time_is_over_is_refused_before_anything(
        self, tmp_path_factory: pytest.TempPathFactory, ended: str
    ) -> None:
        home = tmp_path_factory.mktemp("ended")
        home.chmod(0o700)
        environment = {**os.environ, "GNUPGHOME": str(home)}

        def said(*words: str, stdin: bytes = b"") -> bytes:
            argv = ["gpg", "--batch", "--yes", "--passphrase", "", *words]
            return subprocess.run(argv, env=environment, input=stdin, check=True, capture_output=True).stdout

        past = ("--faked-system-time", "20200101T000000") if ended == "expired" else ()
        said(*past, "--quick-generate-key", "old@example.test", "rsa2048", "encr", "1d" if past else "never")
        (revocation,) = (home / "openpgp-revocs.d").glob("*.rev")
        if ended == "revoked":
            said("--import", stdin=revocation.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))
        try:
            with pytest.raises(BackupError, match=r"no key .* that can encrypt") as caught:
                gpg.encrypting([revocation.stem], EngineServices(environment=environment))
            assert caught.value.error_id is ErrorId.INVALID
        finally:
            subprocess.run(["gpgconf", "--kill", "all"], env=environment, check=False, timeout=60)

    @pytest.mark.contract("E2")
    def test_a_key_that_is_not_there_is_refused_before_anything(self, gpg_home: dict[str, str]) -> None:
        services = EngineServices(environment=gpg_home)
        for named in ("0" * 40, "me@example.test"):
            with pytest.raises(BackupError) as caught:
                gpg.encrypting([named], services)
            assert caught.value.error_id is ErrorId.INVALID
