"""Encryption to OpenPGP keys by the ``gpg`` program, a pipe on each side; nothing is held and nothing is a temporary.

Keys come from the operator's key ring. To decrypt, gpg asks its own agent; with an identity, the secret key behind the
reference goes into a key ring of its own that is gone afterwards.
"""

import os
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Services
from dce_play.backup.streams import CHUNK_BYTES, Sink, Source
from dce_play.errors import ExitCode
from dce_play.system.process.executor import Command, NoSuchProgram
from dce_play.system.process.streaming import StreamedProgram

KIND = "gpg"
SUFFIX = ".gpg"
_FINGERPRINT = re.compile(r"(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})\Z")
_QUIET = ("gpg", "--batch", "--no-tty", "--trust-model", "always")
_LIFE_S = 7 * 24 * 3600.0
_SHORT_S = 60.0
_MEMORY = Path("/dev/shm")  # noqa: S108  # a new folder of our own is made below it


def encrypting(recipients: Sequence[str], services: Services, /) -> "GpgFilter":
    """Return the filter that writes for these fingerprints.

    Raises: BackupError: ``no-tool``, without gpg; ``invalid``, for what is no fingerprint or no usable key of the ring.
    """
    if not recipients:
        raise BackupError(ErrorId.INVALID, "no gpg recipient is named")
    found = [each.removeprefix("gpg:") for each in recipients]
    for fingerprint in found:
        if not _FINGERPRINT.match(fingerprint):
            raise BackupError(ErrorId.INVALID, f"not a gpg fingerprint of 40 digits: {fingerprint[:80]!r}")
        _refuse_unusable(fingerprint, services)
    return GpgFilter(services, recipients=found)


def decrypting(identity: str | None, services: Services, /) -> "GpgFilter":
    """Return the filter that reads: with gpg's own agent, or with the secret key behind a reference.

    Raises: BackupError: ``invalid``, for a reference without a secret.
    """
    return GpgFilter(services, secret_key=None if identity is None else services.secret(identity))


def _refuse_unusable(fingerprint: str, services: Services) -> None:
    try:
        said = services.executor.run(
            Command(argv=("gpg", "--batch", "--with-colons", "--list-keys", fingerprint), timeout_s=_SHORT_S)
        )
    except NoSuchProgram as error:
        raise BackupError(ErrorId.NO_TOOL, "gpg encryption needs the program gpg", hint="install gnupg") from error
    keys = [line.split(":") for line in said.stdout.splitlines() if line.startswith(("pub:", "sub:"))]
    if said.exit_code != 0 or not any(_encrypts(fields) for fields in keys):
        raise BackupError(
            ErrorId.INVALID,
            f"the key ring has no key {fingerprint} that can encrypt",
            hint=f"gpg --import its public key; see: gpg --list-keys {fingerprint}",
        )


def _encrypts(fields: Sequence[str]) -> bool:
    """Return whether a key's line says that it is valid still and encrypts. Source: GnuPG, doc/DETAILS."""
    return len(fields) > 11 and fields[1] not in {"e", "r", "d", "i", "n"} and "e" in fields[11]


class GpgFilter:
    """Encrypts to fingerprints, or decrypts."""

    kind = KIND
    suffix = SUFFIX

    def __init__(self, services: Services, *, recipients: Sequence[str] = (), secret_key: str | None = None) -> None:
        self._services = services
        self._recipients = tuple(recipients)
        self._secret_key = secret_key

    def into(self, out: Sink, /) -> Sink:
        """Return a sink that encrypts into ``out``."""
        named = tuple(word for each in self._recipients for word in ("--recipient", each))
        # What comes is compressed already, and gpg's own compression would take most of the time.
        argv = (*_QUIET, "--compress-algo", "none", *named, "--encrypt", "--output", "-")
        return _Encrypting(self._services, argv, out)

    def reading(self, stored: Source, /) -> Source:
        """Return a source of the plain bytes; gpg's exit code counts at its end."""
        return _Decrypting(self._services, self._secret_key, stored)


class _Encrypting:
    """A running gpg into which is pushed; a thread hands on what it gives."""

    def __init__(self, services: Services, argv: tuple[str, ...], out: Sink) -> None:
        self._open = ExitStack()
        self._program = _started(self._open, services, argv, {})
        self._out = out
        self._failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._hand_on, name="gpg", daemon=True)
        self._thread.start()

    def write(self, data: "bytes | memoryview", /) -> None:
        """Push more plain bytes."""
        try:
            self._program.write(data)
        except BrokenPipeError as error:
            self._thread.join()
            self._fail(error)

    def finish(self) -> None:
        """Wait for gpg, and look at its exit code."""
        self._program.close_stdin()
        self._thread.join()
        ended = self._program.finish()
        self._open.close()
        if self._failures or ended.exit_code != 0:
            self._fail(None)

    def abort(self) -> None:
        """End gpg."""
        self._program.end()
        self._thread.join(timeout=5.0)
        self._open.close()

    def _fail(self, cause: BaseException | None) -> None:
        if self._failures:
            raise self._failures[0]
        raise BackupError(ErrorId.ENGINE_FAILED, f"gpg cannot encrypt: {_last_line(self._program)}") from cause

    def _hand_on(self) -> None:
        try:
            while data := self._program.read(CHUNK_BYTES):
                self._out.write(data)
        except BaseException as error:  # noqa: BLE001  # it is raised where the stream is written or finished
            self._failures.append(error)
            self._program.end()


class _Decrypting:
    """A running gpg from which is read; a thread pushes the stored bytes."""

    def __init__(self, services: Services, secret_key: str | None, stored: Source) -> None:
        self._open = ExitStack()
        self._stored = stored
        self._ended = False
        try:
            home = {} if secret_key is None else _own_ring(self._open, services, secret_key)
            self._program = _started(
                self._open, services, (*_QUIET, "--status-fd", "2", "--decrypt", "--output", "-"), home
            )
        except BaseException:
            self._open.close()
            raise
        self._failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._push, name="gpg", daemon=True)
        self._thread.start()

    def read(self, size_bytes: int = CHUNK_BYTES, /) -> bytes:
        """Return some of the plain bytes; at their end, only if gpg found all of them good."""
        data = self._program.read(size_bytes)
        if not data and not self._ended:
            self._ended = True
            self._conclude()
        return data

    def finish(self) -> None:
        """See that the stored bytes were good."""
        if not self._ended:
            self._conclude()
        self._open.close()
        self._stored.finish()

    def abort(self) -> None:
        """End gpg."""
        self._program.end()
        self._thread.join(timeout=5.0)
        self._open.close()
        self._stored.abort()

    def _conclude(self) -> None:
        self._thread.join()
        ended = self._program.finish()
        if self._failures:
            raise self._failures[0]
        # gpg exits 0 for a file that was cut off inside its first packet: only its own word that it is whole counts.
        if ended.exit_code != 0 or "[GNUPG:] DECRYPTION_OKAY" not in self._program.last_words():
            said = _last_line(self._program)
            error_id = ErrorId.INVALID if "secret key" in self._program.last_words().lower() else ErrorId.VERIFY_FAILED
            raise BackupError(error_id, f"gpg cannot decrypt: {said}", exit_code=ExitCode.FAILED)

    def _push(self) -> None:
        try:
            while data := self._stored.read(CHUNK_BYTES):
                self._program.write(data)
        except BrokenPipeError:
            pass  # gpg gave up; its exit code tells why
        except BaseException as error:  # noqa: BLE001  # it is raised where the stream is read
            self._failures.append(error)
        finally:
            self._program.close_stdin()


def _started(kept: ExitStack, services: Services, argv: tuple[str, ...], env: Mapping[str, str]) -> StreamedProgram:
    try:
        return kept.enter_context(services.streams.open(Command(argv=argv, timeout_s=_LIFE_S, env=env), stdin=True))
    except NoSuchProgram as error:
        raise BackupError(ErrorId.NO_TOOL, "gpg encryption needs the program gpg", hint="install gnupg") from error


def _own_ring(kept: ExitStack, services: Services, secret_key: str) -> dict[str, str]:
    """Put a secret key into a key ring of its own; return the environment that names it."""
    # In memory where there is such a folder: the key never touches a disk, and the path is short enough for the socket
    # of gpg's agent, for which about 100 bytes are the limit.
    below = _MEMORY if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) else None
    folder = kept.enter_context(services.temporary_folder("dce-play-gpg-", below=below))
    home = {"GNUPGHOME": str(folder)}
    stop = Command(argv=("gpgconf", "--kill", "all"), timeout_s=_SHORT_S, env=home, tidies_up=True)
    kept.callback(lambda: services.executor.run(stop))
    with ExitStack() as importing:
        program = _started(importing, services, ("gpg", "--batch", "--no-tty", "--import"), home)
        program.write(secret_key.encode() + b"\n")
        if program.finish().exit_code != 0:
            raise BackupError(ErrorId.INVALID, "the identity is no secret key that gpg can read")
    return home


def _last_line(program: StreamedProgram) -> str:
    lines = [line for line in program.last_words().splitlines() if not line.startswith("[GNUPG:]")]
    return lines[-1] if lines else "it says nothing"
