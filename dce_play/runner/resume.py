"""Going on with a run: what it did already, and whether it is still the same run."""

from dataclasses import replace

from dce_play.errors import DcePlayError, ExitCode
from dce_play.events import Mode
from dce_play.playbook.plan.plan import Plan
from dce_play.runner.definition import ResumeRefused, define, differences, load_definition
from dce_play.runner.record.child_id import parent_of
from dce_play.runner.record.folders import RunInfo, State
from dce_play.runner.record.journal import JOURNAL_NAME, RunStillGoing, close_lost, read_journal
from dce_play.runner.record.progress import EarlierRun, Progress, fold_progress
from dce_play.runner.settings import RunSettings


class NotResumable(DcePlayError):
    """The run ended well, was a dry run, or left nothing to go on from."""

    exit_code = ExitCode.RESUME_REFUSED

    def __init__(self, run_id: str, reason: str) -> None:
        super().__init__(f"run {run_id} cannot be resumed: {reason}", hint="start a new run")
        self.run_id = run_id


def open_earlier(info: RunInfo, /, *, ts: str) -> EarlierRun:
    """Return what the run did so far; the journal of a killed run gets its end first.

    Raises: NotResumable, RunStillGoing, RunJournalDamaged.
    """
    journal = info.folder / JOURNAL_NAME
    if info.state is State.RUNNING:
        raise RunStillGoing(journal)
    if info.state is State.OK:
        raise NotResumable(info.run_id, "it ended well")
    if not info.resumable:
        raise NotResumable(info.run_id, _why_not(info))
    if parent_of(info.run_id):
        raise NotResumable(info.run_id, f"it is a part of the run {parent_of(info.run_id)}, which can")
    if not info.options:
        raise NotResumable(info.run_id, "it ended before it began")
    close_lost(journal, ts=ts)
    return EarlierRun(
        run_id=info.run_id,
        folder=info.folder,
        progress=fold_progress(read_journal(journal)),
        definition=load_definition(info.folder),
    )


def _why_not(info: RunInfo) -> str:
    if info.state is State.DAMAGED:
        return "it is damaged"
    if info.mode is Mode.DRY_RUN:
        return "it was a dry run"
    return "it was refused before it changed anything" if info.refused else "it ended before it began"


def progress_for(earlier: EarlierRun, plan: Plan, settings: RunSettings, /, *, accept_changes: bool) -> Progress:
    """Return what of the earlier part still counts for this plan.

    With ``accept_changes`` a change of params, targets, archive root or version makes every step run again; a change
    of steps makes these and all after them run again.

    Raises: ResumeRefused, when something changed and that is not accepted.
    """
    now = define(plan, settings)
    found = differences(earlier.definition, now) if earlier.definition else []
    if not found:
        return earlier.progress
    if not accept_changes:
        raise ResumeRefused(earlier.run_id, found)
    inputs = ("params", "targets", "archive_root", "version")
    if any(earlier.definition.get(name) != now.get(name) for name in inputs):
        return replace(earlier.progress, ended={}, checkpoints={}, cleared=True)
    return earlier.progress
