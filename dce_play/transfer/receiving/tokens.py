"""Who may send: tokens, each bound to one host, kept as hashes in ``tokens.json``.

A token reads ``dcp_<token id>_<secret>``; only the SHA-256 of the whole text is kept.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Protocol

import msgspec

from dce_play.errors import DcePlayError, ExitCode, UsageError
from dce_play.source import did_you_mean
from dce_play.system.clock import utc_stamp
from dce_play.system.durable.whole_files import write_atomic
from dce_play.system.lock.file_lock import flock_file
from dce_play.transfer.ids import episode_id

_TOKEN = re.compile(r"dcp_(?P<id>[0-9a-f]{8})_[0-9a-f]{64}", re.ASCII)
_LOCK_WAIT_S = 10.0


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One token, without its secret."""

    token_id: str
    host_id: str
    role: str
    sha256: str
    created_at: str
    expires_at: str | None = None

    def expired(self, now: datetime) -> bool:
        """Return whether its time is over; an end that cannot be read is one that is over."""
        if self.expires_at is None:
            return False
        try:
            end = datetime.fromisoformat(self.expires_at)
        except ValueError:
            return True
        return (end if end.tzinfo else end.replace(tzinfo=UTC)) <= now


class _TokensFile(msgspec.Struct, frozen=True, kw_only=True):
    tokens: tuple[TokenRecord, ...] = ()


class UnreadableTokens(DcePlayError):
    """The list of tokens cannot be read or understood."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path}: {reason}", hint="put it back from a backup, or remove it and add all tokens anew")


class NoSuchToken(DcePlayError):
    """There is no token of this id."""

    exit_code: ClassVar[ExitCode] = ExitCode.NOTHING_SELECTED

    def __init__(self, token_id: str, known: Iterable[str]) -> None:
        hint = did_you_mean(token_id, known) or "there are no tokens"
        super().__init__(f'no token "{token_id}"', hint=hint)


class Tokens(Protocol):
    """Where tokens are kept."""

    def all(self) -> tuple[TokenRecord, ...]:
        """Return all of them, as they are now or were a few seconds ago."""

    def add(self, record: TokenRecord) -> None:
        """Keep one more."""

    def revoke(self, token_id: str) -> None:
        """Forget one.

        Raises: NoSuchToken.
        """


class FileTokens:
    """``tokens.json``, read anew whenever it has changed. Writers take turns by a lock on it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._tokens: tuple[TokenRecord, ...] = ()

    def all(self) -> tuple[TokenRecord, ...]:
        """Return all tokens.

        Raises: UnreadableTokens; the next call tries again.
        """
        try:
            status = self._path.stat()
            seen = (status.st_ino, status.st_size, status.st_mtime_ns)
            if seen != self._seen:
                self._tokens = msgspec.json.decode(self._path.read_bytes() or b"{}", type=_TokensFile).tokens
                self._seen = seen
        except FileNotFoundError:
            self._seen, self._tokens = None, ()
        except msgspec.DecodeError as error:
            raise UnreadableTokens(self._path, f"is no list of tokens ({error})") from error
        except OSError as error:
            raise UnreadableTokens(self._path, (error.strerror or "cannot be read").lower()) from error
        return self._tokens

    def add(self, record: TokenRecord) -> None:
        self._change(lambda tokens: (*tokens, record))

    def revoke(self, token_id: str) -> None:
        def without(tokens: tuple[TokenRecord, ...]) -> tuple[TokenRecord, ...]:
            left = tuple(each for each in tokens if each.token_id != token_id)
            if len(left) == len(tokens):
                raise NoSuchToken(token_id, (each.token_id for each in tokens))
            return left

        self._change(without)

    def _change(self, change: Callable[[tuple[TokenRecord, ...]], tuple[TokenRecord, ...]]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with flock_file(self._path, wait_s=_LOCK_WAIT_S):
            tokens = change(self.all())
            data = msgspec.json.format(msgspec.json.encode(_TokensFile(tokens=tokens)), indent=2) + b"\n"
            write_atomic(self._path, data, mode=0o600)


def new_token(host: str, *, role: str, expires: str | None, now: datetime) -> tuple[TokenRecord, str]:
    """Return a new token's record, and the token itself, which nobody can tell again.

    Raises: UsageError, unless the host is one host's name and the end a date.
    """
    if episode_id(host) is None:
        hint = "one host's name, as its certificate has it: letters, digits, dots, dashes; no wildcard, no list"
        raise UsageError(f'"{host}" is no host', hint=hint)
    token_id, secret = secrets.token_hex(4), secrets.token_hex(32)
    token = f"dcp_{token_id}_{secret}"
    record = TokenRecord(
        token_id=token_id,
        host_id=host,
        role=role,
        sha256=_hash(token),
        created_at=utc_stamp(now),
        expires_at=None if expires is None else _end(expires),
    )
    return record, token


def find_token(token: str, tokens: tuple[TokenRecord, ...]) -> TokenRecord | None:
    """Return the record of a token that somebody shows, or ``None``. Takes as long for a wrong secret as for ours."""
    parts = _TOKEN.fullmatch(token)
    token_id = parts["id"] if parts else ""
    shown = _hash(token)
    found = None
    for record in tokens:
        if record.token_id == token_id and hmac.compare_digest(record.sha256, shown):
            found = record
    return found


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _end(text: str) -> str:
    try:
        end = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f'"{text}" is no date', hint="2027-06-30, or 2027-06-30T12:00:00Z") from error
    return utc_stamp(end if end.tzinfo else end.replace(tzinfo=UTC))
