"""Files that hold a token: reading them with care, and writing them for one pair of eyes only."""

from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.redact import SHORTEST_SECRET

LONGEST_BYTES = 4096
"""Far more than any token has; what is longer is another file."""


class BadTokenFile(DcePlayError):
    """A file that should hold a token does not."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUTHENTICATION

    def __init__(self, path: Path, reason: str, *, hint: str) -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = path
        self.reason = reason


def read_token_file(path: Path) -> str:
    """Return the first line of a token file, without its line end and surrounding blanks; may be empty.

    Raises: BadTokenFile, when it cannot be read or more than one line has text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise BadTokenFile(path, reason.lower(), hint="check the path and the file's mode") from error
    line = data.split(b"\n", 1)[0]
    if len(line) > LONGEST_BYTES:
        raise BadTokenFile(path, "its first line is too long for a token", hint="is it the right file?")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadTokenFile(path, "is not text", hint="it should hold the token and nothing else") from error
    return text.strip()


def check_token(token: str, source: str) -> str:
    """Return the token, or refuse an empty one and what no HTTP header could carry.

    Raises: BadTokenFile, never showing the token.
    """
    if not token:
        raise BadTokenFile(Path(source), "there is no token in it", hint="its first line should be the token")
    if len(token) < SHORTEST_SECRET:
        raise BadTokenFile(
            Path(source), f"fewer than {SHORTEST_SECRET} characters are no token", hint="is it complete? copy it again"
        )
    if any(character.isspace() or not character.isprintable() or ord(character) > 126 for character in token):
        raise BadTokenFile(
            Path(source),
            "the token has blanks, line breaks or other characters that no token has",
            hint="copy it again, without quotes and line breaks",
        )
    return token
