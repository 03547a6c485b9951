"""Encryption to age recipients, streamed: chunks go through Rust one by one, and nothing is held.

``age1…`` recipients and SSH public keys; identities are the text of a key file, comments and all.
"""

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, NoReturn

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Services
from dce_play.backup.streams import PulledSink, PushedSource, Sink, Source, SourceFile

KIND = "age"
SUFFIX = ".age"
_INSTALL = "run: pip install 'dce-play[age]'"


def encrypting(recipients: Sequence[str], services: Services, /) -> "AgeFilter":  # noqa: ARG001  # the protocol's
    """Return the filter that writes for these recipients.

    Raises: BackupError: ``no-tool``, without pyrage; ``invalid``, for a recipient that is none.
    """
    pyrage = _pyrage()
    if not recipients:
        raise BackupError(ErrorId.INVALID, "no age recipient is named")
    return AgeFilter(pyrage, recipients=[_recipient(pyrage, each) for each in recipients])


def decrypting(identity: str | None, services: Services, /) -> "AgeFilter":
    """Return the filter that reads with the identities in the text behind a reference.

    Raises: BackupError: ``no-tool``; ``invalid``, without an identity or for one that is none.
    """
    pyrage = _pyrage()
    if identity is None:
        raise BackupError(ErrorId.INVALID, "the backup is encrypted to age recipients", hint="name one with --identity")
    identities = _identities(pyrage, services.secret(identity))
    if not identities:
        raise BackupError(ErrorId.INVALID, f"{identity} holds no age identity", hint="it begins with AGE-SECRET-KEY-1")
    return AgeFilter(pyrage, identities=identities)


class AgeFilter:
    """Encrypts to recipients, or decrypts with identities."""

    kind = KIND
    suffix = SUFFIX

    def __init__(self, pyrage: Any, *, recipients: Sequence[Any] = (), identities: Sequence[Any] = ()) -> None:
        self._pyrage = pyrage
        self._recipients = list(recipients)
        self._identities = list(identities)

    def into(self, out: Sink, /) -> Sink:
        """Return a sink that encrypts into ``out``."""

        def encrypt(stream: BinaryIO) -> None:
            writer = _Writer(out.write)
            try:
                self._pyrage.encrypt_io(stream, writer, self._recipients)
            except (self._pyrage.EncryptError, OSError) as error:
                writer.reraise(error, f"age cannot encrypt: {error}", ErrorId.WRITE_FAILED)

        return PulledSink(encrypt, name="age")

    def reading(self, stored: Source, /) -> Source:
        """Return a source of the plain bytes; what was not encrypted whole is an error before its end."""
        return _Decrypted(self._pyrage, self._identities, stored)


class _Decrypted:
    """A source behind which age decrypts in a thread."""

    def __init__(self, pyrage: Any, identities: list[Any], stored: Source) -> None:
        def decrypt(stream: BinaryIO) -> None:
            reader = _Reader(stored)
            writer = _Writer(stream.write)
            try:
                pyrage.decrypt_io(reader, writer, identities)
            except pyrage.DecryptError as error:
                reader.reraise()
                wrong = "No matching keys" in str(error)
                error_id = ErrorId.INVALID if wrong else ErrorId.VERIFY_FAILED
                writer.reraise(error, f"age cannot decrypt: {error}", error_id)
            except OSError as error:
                reader.reraise()
                writer.reraise(error, f"the encrypted backup is damaged or cut off: {error}", ErrorId.VERIFY_FAILED)

        self._stored = stored
        self._plain = PushedSource(decrypt, name="age")

    def read(self, size_bytes: int = 1 << 18, /) -> bytes:
        """Return some of the plain bytes."""
        return self._plain.read(size_bytes)

    def finish(self) -> None:
        """See that all was decrypted, and that the stored bytes were good."""
        self._plain.finish()
        self._stored.finish()

    def abort(self) -> None:
        """Let go of both."""
        self._plain.abort()
        self._stored.abort()


class _Writer:
    """A file for age. It keeps the error of a write, of which Rust leaves only the text."""

    def __init__(self, write: "Callable[[bytes], object]") -> None:
        self._write = write
        self._failure: BaseException | None = None

    def write(self, data: bytes) -> int:
        """Write all of it."""
        try:
            self._write(data)
        except BaseException as error:
            self._failure = error
            raise
        return len(data)

    def flush(self) -> None:
        """Nothing is held."""

    def reraise(self, error: BaseException, message: str, error_id: ErrorId) -> NoReturn:
        """Raise what a write raised, or else what age said."""
        if self._failure is not None:
            raise self._failure
        raise BackupError(error_id, message) from error


class _Reader(SourceFile):
    """A file for age that keeps the error of a read."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._failure: BaseException | None = None

    def read(self, size_bytes: int = -1, /) -> bytes:
        """Return exactly so many bytes; fewer only at the end."""
        try:
            return super().read(size_bytes)
        except BaseException as error:
            self._failure = error
            raise

    def reraise(self) -> None:
        """Raise what a read raised, if one did."""
        if self._failure is not None:
            raise self._failure


def _pyrage() -> Any:
    try:
        import pyrage  # an extra
    except ImportError as error:
        raise BackupError(ErrorId.NO_TOOL, "age encryption needs the package pyrage", hint=_INSTALL) from error
    return pyrage


def _recipient(pyrage: Any, text: str) -> Any:
    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise BackupError(ErrorId.INVALID, f"not an age recipient: {text[:80]!r} ({error})") from error


def _identities(pyrage: Any, text: str) -> list[Any]:
    try:
        if text.lstrip().startswith("-----BEGIN"):
            return [pyrage.ssh.Identity.from_buffer(text.encode())]
        lines = (line.strip() for line in text.splitlines())
        return [pyrage.x25519.Identity.from_str(line) for line in lines if line.startswith("AGE-SECRET-KEY-")]
    except pyrage.IdentityError:
        # Its text is not repeated: it may hold a part of the key.
        raise BackupError(ErrorId.INVALID, "the identity is no age identity that can be read") from None
