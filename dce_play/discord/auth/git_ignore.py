"""Keeping files of secrets out of Git: whether a repository would take one in, and the line that prevents it."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from dce_play.system.durable.named_outputs import write_named
from dce_play.system.secret_reference import mode_warning

SECRET_FILES = ("scrape.env", ".discord-token")
IGNORED = (*SECRET_FILES, "archives/", "logs/", "*.log")
"""What ``init`` has Git leave out."""
_LARGEST = 1 << 20


def loose_secrets(folder: Path) -> Iterator[str]:
    """Yield a warning for each file of secrets in a folder that Git would take in, or that others can read."""
    for path in (folder / name for name in SECRET_FILES):
        try:
            there = path.is_file()
            warning = mode_warning(path) if there else None
        except OSError:
            continue
        if warning is not None:
            yield warning
        if there and would_be_added(path):
            yield f"{path} holds secrets, and git add would take it in; run: echo {path.name} >> {folder}/.gitignore"


def keep_out_of_git(path: Path) -> bool:
    """Have the repository around a file, if there is one, leave it out; return whether a line was added.

    Raises: OutputNotWritten.
    """
    if not would_be_added(path):
        return False
    add_lines(path.parent / ".gitignore", (path.name,))
    return True


def add_lines(ignore_file: Path, names: tuple[str, ...]) -> bool:
    """Add the names that a ``.gitignore`` lacks, each on its line; what is there stays. Return whether there were any.

    Raises: OutputNotWritten.
    """
    there = ignore_file.read_bytes() if ignore_file.is_file() else b""
    text = there.decode("utf-8", "replace")
    missing = [name for name in names if name not in {line.strip().removeprefix("/") for line in text.splitlines()}]
    if not missing:
        return False
    between = "" if not text or text.endswith("\n") else "\n"
    lines = "".join(f"{name}\n" for name in missing)
    write_named(ignore_file, there + f"{between}{lines}".encode(), what="the names that Git leaves out")
    return True


def would_be_added(path: Path) -> bool:
    """Return whether the file lies in a Git work tree none of whose ignore files names it."""
    path = path.absolute()
    top = next((folder for folder in path.parents if (folder / ".git").exists()), None)
    if top is None:
        return False
    ignored = False
    files = [top / ".git" / "info" / "exclude", *(folder / ".gitignore" for folder in reversed(_between(path, top)))]
    for ignore_file in files:
        base = top if ignore_file.name == "exclude" else ignore_file.parent
        for line in _text(ignore_file).splitlines():
            verdict = _verdict(line.strip(), path.relative_to(base).as_posix())
            ignored = ignored if verdict is None else verdict
    return not ignored


def _between(path: Path, top: Path) -> list[Path]:
    """Return the folders from the file's own up to the top."""
    return [folder for folder in path.parents if folder.is_relative_to(top)]


def _verdict(line: str, name: str) -> bool | None:
    """Return what one line says of a file below its folder; ``None`` when it says nothing of it."""
    if not line or line.startswith("#"):
        return None
    wanted = not line.startswith("!")
    pattern = line.removeprefix("!").rstrip("/")
    parts = name.split("/")
    heads = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    if "/" in pattern:
        found = any(fnmatchcase(head, pattern.removeprefix("/").replace("**/", "*")) for head in heads)
    else:
        found = any(fnmatchcase(part, pattern) for part in parts)
    return wanted if found else None


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
