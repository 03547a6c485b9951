"""``python -m dce_play`` and the ``dce-play`` command."""

from dce_play.cli.main import main

if __name__ == "__main__":
    main()
