"""The names of everything we keep under an archive root, a target's folder and the state folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dce_play.snowflake import ChannelId

LOCK_NAME = ".dce-scrape.lock"
MEDIA_FOLDER = ".dce-media"
META_FOLDER = ".dce-meta"
TEMP_FOLDER = ".dce-temp"
_NO_HOME = Path("/nonexistent")


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return our own state folder: ``DCE_PLAY_STATE_DIR``, else ``dce-play`` under the XDG state folder."""
    override = environment.get("DCE_PLAY_STATE_DIR")
    if override:
        return Path(override).absolute()
    base = xdg_folder(environment, "XDG_STATE_HOME") or home_folder(environment) / ".local" / "state"
    return base / "dce-play"


def xdg_folder(environment: Mapping[str, str], name: str) -> Path | None:
    """Return the folder that an XDG variable names; one that is not absolute is ignored.

    Source: XDG Base Directory Specification, "Basics".
    """
    value = environment.get(name, "")
    return Path(value) if value.startswith("/") else None


def home_folder(environment: Mapping[str, str]) -> Path:
    """Return the home folder: ``HOME``, else what the system says; a folder that is not there, where neither helps."""
    value = environment.get("HOME", "")
    if value.startswith("/"):
        return Path(value)
    try:
        found = Path("~").expanduser()
    except RuntimeError:
        return _NO_HOME
    return found if found.is_absolute() else _NO_HOME


def runs_folder(state_dir: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the folder of all run folders: ``--state-dir``, else our state folder."""
    base = state_dir.absolute() if state_dir is not None else state_folder(environment)
    return base / "runs"


@dataclass(frozen=True, slots=True)
class TargetLayout:
    """The files we keep in one target's folder beside its channel files."""

    folder: Path

    @property
    def meta(self) -> Path:
        return self.folder / META_FOLDER

    @property
    def media(self) -> Path:
        """The bytes of media, and which URL has which."""
        return self.folder / MEDIA_FOLDER

    @property
    def media_ledger(self) -> Path:
        return self.media / "media.jsonl"

    @property
    def channel_map(self) -> Path:
        return self.meta / "channel-map.json"

    @property
    def unfinished(self) -> Path:
        """The channels that a scrape has listed and not fetched yet."""
        return self.meta / "unfinished.json"

    @property
    def guild(self) -> Path:
        """The guild's channels as a scrape saw them last."""
        return self.meta / "guild.json"

    @property
    def appends(self) -> Path:
        return self.meta / "appends.jsonl"

    def journal(self, channel_id: ChannelId) -> Path:
        return self.meta / "journal" / f"{channel_id}.json"

    def edits(self, channel_id: ChannelId) -> Path:
        return self.meta / "edits" / f"{channel_id}.jsonl"

    def odd(self, channel_id: ChannelId) -> Path:
        """The messages that could not be read, or that no channel file takes, as they came: JSON lines."""
        return self.meta / "odd" / f"{channel_id}.jsonl"

    def raw(self, channel_id: ChannelId) -> Path:
        """Every message as Discord gave it: gzipped JSON lines."""
        return self.meta / "raw" / f"{channel_id}.jsonl.gz"

    def record(self, channel_id: ChannelId) -> Path:
        return self.meta / "records" / f"{channel_id}.json"

    @property
    def temp(self) -> Path:
        return self.folder / TEMP_FOLDER

    @property
    def quarantine(self) -> Path:
        return self.temp / "quarantine"
