"""``dce-play.toml``, the settings of a project: whether its own steps are loaded, and who is told of its runs."""

from pathlib import Path

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
    path = folder / PROJECT_FILE
    if not path.exists():
        return False
    # Inside the function for start-up time: 10 ms, and few folders have such a file.
    import tomllib

    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProjectFileBroken(path, str(error)) from error
    return settings.get("plugins") is True
