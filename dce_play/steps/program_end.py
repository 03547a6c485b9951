"""How a program that a step ran has ended: a result, or a failure with its last words."""

from collections.abc import Sequence

from dce_play.plugin import StepFailed, StepResult
from dce_play.system.process.executor import Finished

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
