"""What steps that run a program take, and how it has ended: a result, or a failure with its last words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from dce_play.plugin import Info, StepFailed, StepResult
from dce_play.system.process.executor import Finished

Variables = Annotated[dict[str, str], Info(help="Environment variables, besides those of the run.")]
RunFolder = Annotated[Path | None, Info(help="The folder to run it in; default: the working folder.")]
ExitCodes = Annotated[tuple[int, ...], Info(help="Exit codes that are successes.")]
WritesArchive = Annotated[
    bool, Info(help="It writes the archive: it inherits the lock, which then outlives us while it runs.")
]
_TOLD_LINES = 5


def judged(finished: Finished, outputs: object, *, what: str, exit_codes: Sequence[int]) -> StepResult:
    """Return the step's result; ``what`` ended.

    Raises: StepFailed, for an exit code that is no success.
    """
    if finished.exit_code in exit_codes:
        return StepResult(changed=True, summary=f"{what} ended with {finished.exit_code}", outputs=outputs)
    said = (finished.stderr.strip() or finished.stdout.strip()).splitlines()
    raise StepFailed(
        f"{what} ended with exit code {finished.exit_code}", hint="\n".join(said[-_TOLD_LINES:]), outputs=outputs
    )
