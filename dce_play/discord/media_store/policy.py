"""What a target keeps of its media, and what it grants itself for that."""

from dataclasses import dataclass
from enum import StrEnum


class MediaMode(StrEnum):
    """Which media a target keeps."""

    OFF = "off"
    ATTACHMENTS = "attachments"
    ALL = "all"


class MediaKind(StrEnum):
    """What refers to a URL."""

    ATTACHMENT = "attachment"
    EMBED_IMAGE = "embed_image"
    EMBED_THUMBNAIL = "embed_thumbnail"
    EMBED_VIDEO = "embed_video"
    EMBED_AUTHOR_ICON = "embed_author_icon"
    EMBED_FOOTER_ICON = "embed_footer_icon"
    STICKER = "sticker"
    EMOJI = "emoji"
    AVATAR = "avatar"
    GUILD_ICON = "guild_icon"


class MediaState(StrEnum):
    """What became of a URL."""

    KEPT = "kept"
    GONE = "gone"
    TOO_LARGE = "too_large"
    EXCLUDED = "excluded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPolicy:
    """The ``media`` keys of a target. Sizes are bytes."""

    mode: MediaMode = MediaMode.OFF
    max_file: int | None = None
    exclude: tuple[str, ...] = ()
    """Shell patterns over names and content types."""
    budget: int | None = None
    """Bytes that one run may fetch."""
    jobs: int = 4
    bandwidth: int | None = None
    """Bytes a second, over all files."""
    hosts: tuple[str, ...] = ()

    @property
    def on(self) -> bool:
        return self.mode is not MediaMode.OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaReference:
    """One URL that a message names."""

    url: str
    """As it was named, with its signature."""
    kind: MediaKind
    name: str
    message_id: str | None = None
    channel_id: str | None = None
    size: int | None = None
    """What Discord says of an attachment; unknown for everything else."""
