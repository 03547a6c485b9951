"""``python -m dce_play`` and the ``dce-play`` command."""

import sys

from dce_play import __version__


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:  # answered before click is imported, which costs more than Python's own start
        sys.stdout.write(f"dce-play {__version__}\n")
        return
    from dce_play.cli.app.main import main as run_command_line

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
