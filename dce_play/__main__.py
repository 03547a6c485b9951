"""``python -m dce_play`` and the ``dce-play`` command."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from dce_play import __version__


def main() -> None:
    """Run the command line and exit with its code."""
    name_files_in_utf8()
    if sys.argv[1:] == ["--version"]:  # answered before click is imported, which costs more than Python's own start
        sys.exit(tell_version())
    if not clock_can_be_used():
        sys.exit(1)
    from dce_play.cli.app.main import main as run_command_line
    from dce_play.cli.app.main import open_missing_streams

    open_missing_streams()
    mask_known_secrets()
    sys.exit(run_command_line(sys.argv[1:]))


def name_files_in_utf8() -> None:
    """Start Python anew where it would name files in another encoding: an archive's names are the same everywhere.

    What is printed stays in the encoding of the terminal. Returns where there is nothing to do, or nothing can be done.
    """
    anew = ["-X", "utf8"]
    if sys.getfilesystemencoding() == "utf-8" or sys.orig_argv[1:3] == anew or not sys.executable:
        return
    environment = dict(os.environ)
    if sys.stdout is not None:
        environment.setdefault("PYTHONIOENCODING", f"{sys.stdout.encoding}:{sys.stdout.errors}")
    with suppress(OSError):
        os.execve(sys.executable, [sys.executable, *anew, *sys.orig_argv[1:]], environment)  # noqa: S606 - no shell is needed


def clock_can_be_used() -> bool:
    """Return whether Python can tell the time; it cannot from the year 2262 on, and then this is told."""
    try:
        time.time()
    except OverflowError:
        told = "error: this machine's clock is past the year 2262\n  hint: set it right: date -s\n"
        sys.stderr.write(told)
        return False
    return True


def tell_version() -> int:
    """Print our version; return the exit code."""
    try:
        os.write(1, f"dce-play {__version__}\n".encode())
    except OSError as error:
        sys.stderr.write(f"error: standard output: {(error.strerror or str(error)).lower()}\n")
        return 1
    return 0


def mask_known_secrets() -> None:
    """Mask, in all that this process prints, what the environment and the files that we know hold."""
    from dce_play.discord.auth.known_secrets import known_secrets
    from dce_play.system.masked_output import mask_output
    from dce_play.system.redact import PROCESS

    try:
        folder = Path.cwd()
    except OSError:  # the working folder is gone; whoever needs it says so
        folder = Path("/")
    for secret in known_secrets(os.environ, folder):
        PROCESS.add(secret)
    mask_output(PROCESS)


if __name__ == "__main__":
    main()
