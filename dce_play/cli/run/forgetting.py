"""Old run folders removed at the end of a run, where the project asks for it with ``keep_runs``."""

from dce_play.cli.app.verb import complain
from dce_play.runner.settings import RunSettings


def forget_old_runs(settings: RunSettings, /, *, keep: int) -> None:
    """Remove this project's runs beyond ``keep``. What cannot be removed is told, and is no failure of this run."""
    # Inside the function for start-up time: few projects ask for it.
    from dce_play.history.pruning import remove_beyond

    runs = settings.run_folder.parent
    failures: list[OSError] = []
    try:
        remove_beyond(
            runs, keep=keep, folder=settings.folder, archive_root=settings.archive_root, failed=failures.append
        )
    except OSError as error:
        failures.append(error)
    if failures:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        reason = (failures[0].strerror or str(failures[0])).lower()
        complain(f"warning: an old run cannot be removed: {failures[0].filename or runs}: {reason}{more}")
