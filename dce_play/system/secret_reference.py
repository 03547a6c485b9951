"""Secrets by reference: ``env:NAME``, ``file:PATH``, ``keyring:NAME``. A literal is never one."""

import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

REFERENCE_PATTERN = r"^(env|file|keyring):.+$"
KINDS = ("env", "file", "keyring")
_LARGEST_BYTES = 64 << 10


class NoSecret(ValueError):
    """A reference leads to no secret. Its text says why, and never holds a secret."""


def is_reference(text: str) -> bool:
    """Return whether a text has the form of a reference."""
    kind, _, name = text.partition(":")
    return kind in KINDS and bool(name)


def read_reference(reference: str, *, environment: Mapping[str, str], folder: Path) -> str:
    """Return the secret behind a reference, without a line end. Relative paths start at the folder.

    Raises: NoSecret, when it is not set, cannot be read or is empty.
    """
    kind, _, name = reference.partition(":")
    match kind:
        case "env":
            secret = environment.get(name, "")
        case "file":
            secret = _from_file(folder / name)
        case "keyring":
            secret = _from_keyring(name)
        case _:
            raise NoSecret("it does not begin with env:, file: or keyring:")
    if not secret:
        raise NoSecret("it is empty or not set")
    return secret


def file_of(reference: str, folder: Path) -> Path | None:
    """Return the file that a reference names, or ``None`` where it names none."""
    kind, _, name = reference.partition(":")
    return folder / name if kind == "file" else None


def mode_warning(path: Path) -> str | None:
    """Return a warning when others than the owner can read a secret's file. Raises: OSError."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return f"{path} can be read by others (mode {mode:04o}); run: chmod 600 {shlex.quote(str(path))}"
    return None


def _from_file(path: Path) -> str:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
            if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):  # it might be waited for until the end of days
                raise NoSecret(f"{path} is a pipe, and may have to be read more than once: put the secret into a file")
            data = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise NoSecret(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    if len(data) > _LARGEST_BYTES:
        raise NoSecret(f"{path} is too large for a secret")
    try:
        return data.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise NoSecret(f"{path} is not text") from error


def _from_keyring(name: str) -> str:
    try:
        import keyring  # an extra
    except ImportError as error:
        raise NoSecret("the keyring package is not installed (pip install 'dce-play[keyring]')") from error
    return keyring.get_password("dce-play", name) or ""
