"""Why an archive is not taken: one error, with the code that its answer carries."""

from dce_play.errors import DcePlayError


class ArchiveRefused(DcePlayError):
    """An archive breaks a rule. ``code`` is a key of ``wire.PROBLEMS``; the text says which rule, and where."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}", hint="pack the episode anew: dce-play ship once")


def shown(path: bytes) -> str:
    """Return a member's name for people: no control characters, not longer than a line."""
    text = path[:200].decode(errors="backslashreplace")
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)
