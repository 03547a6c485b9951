"""The token that DiscordChatExporter's desktop program has saved, plain or encrypted for this machine.

Source: docs/design/auth.md, "The desktop program's settings".
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.auth.token_file import BadTokenFile

_PREFIX = "enc:"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_KEY_BYTES = 16
_ITERATIONS = 600_000
_DEFAULT_SALT = "HimalayanPinkSalt"
_MACHINE_ID_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


@dataclass(frozen=True, slots=True)
class Machine:
    """What the desktop program derives its key from."""

    machine_id: str
    salt: str = _DEFAULT_SALT


def this_machine(environment: Mapping[str, str], id_files: tuple[Path, ...] = _MACHINE_ID_FILES) -> Machine:
    """Return this machine's id, as the desktop program finds it, and the salt (``DCE_ENCRYPTION_SALT``)."""
    salt = environment.get("DCE_ENCRYPTION_SALT") or _DEFAULT_SALT
    for path in id_files:
        try:
            text = path.read_text(encoding="utf-8").strip()
        except OSError:
            continue
        if text:
            return Machine(text, salt)
    return Machine(socket.gethostname(), salt)


def settings_candidates(environment: Mapping[str, str], folder: Path, home: Path) -> list[Path]:
    """Return where the settings may lie, most particular first; the files need not exist."""
    configured = environment.get("DISCORDCHATEXPORTER_SETTINGS_PATH")
    if configured:
        path = Path(configured)
        return [path / "Settings.dat" if path.is_dir() else path]
    program = "DiscordChatExporter.linux-x64"
    return [
        folder.parent / program / "Settings.dat",
        home / "Downloads" / program / "Settings.dat",
        folder / "Settings.dat",
    ]


def read_gui_token(path: Path, machine: Machine) -> str | None:
    """Return the saved token, or ``None`` where the desktop program saved none.

    Raises: BadTokenFile, when the file is no settings file or was encrypted on another machine.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadTokenFile(path, (error.strerror or "cannot be read").lower(), hint="check the path") from error
    except ValueError as error:
        raise BadTokenFile(
            path, "is not a settings file", hint="point at the desktop program's Settings.dat"
        ) from error
    saved = settings.get("LastToken") if isinstance(settings, dict) else None
    if saved is None or saved == "":
        return None
    if not isinstance(saved, str):
        raise BadTokenFile(path, "LastToken is not text", hint="open the desktop program and save the token again")
    return _decrypt(path, saved[len(_PREFIX) :], machine) if saved.startswith(_PREFIX) else saved.strip()


def _decrypt(path: Path, text: str, machine: Machine) -> str:
    # Loaded here: only operators who use the desktop program pay for it.
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise BadTokenFile(path, "the encrypted token is damaged", hint="save it again in the program") from error
    if len(data) < _NONCE_BYTES + _TAG_BYTES:
        raise BadTokenFile(path, "the encrypted token is cut short", hint="save it again in the program")
    nonce, rest = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
    tag, cipher = rest[:_TAG_BYTES], rest[_TAG_BYTES:]
    derive = PBKDF2HMAC(algorithm=SHA256(), length=_KEY_BYTES, salt=machine.salt.encode(), iterations=_ITERATIONS)
    try:
        return AESGCM(derive.derive(machine.machine_id.encode())).decrypt(nonce, cipher + tag, None).decode().strip()
    except (InvalidTag, UnicodeDecodeError) as error:
        raise BadTokenFile(
            path,
            "the token was encrypted on another machine, or with another salt",
            hint="save the token in the desktop program on this machine, or set DCE_ENCRYPTION_SALT",
        ) from error
