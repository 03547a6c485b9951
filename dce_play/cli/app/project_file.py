"""``dce-play.toml``, the settings of a project: its own steps, how many runs are kept, and who is told of them."""

from pathlib import Path
from typing import Any

from dce_play.errors import DcePlayError, ExitCode

PROJECT_FILE = "dce-play.toml"


class ProjectFileBroken(DcePlayError):
    """The project's file is no TOML, or cannot be read."""

    exit_code = ExitCode.INVALID

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}", hint="dce-play monitoring show tells what is wrong with it")
        self.path = path


def wants_plugins(folder: Path, /) -> bool:
    """Return whether the project's file asks for foreign steps.

    Raises: ProjectFileBroken.
    """
    return _settings(folder).get("plugins") is True


def kept_runs(folder: Path, /) -> int | None:
    """Return how many of the project's runs are kept; ``None`` for all.

    Raises: ProjectFileBroken.
    """
    count = _settings(folder).get("keep_runs")
    if count is None:
        return None
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ProjectFileBroken(folder / PROJECT_FILE, f"keep_runs: a whole number of at least 1, not {count!r}")
    return count


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / PROJECT_FILE
    if not path.exists():
        return {}
    # Inside the function for start-up time: 10 ms, and few folders have such a file.
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProjectFileBroken(path, str(error)) from error
