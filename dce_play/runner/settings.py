"""What a run is given, and what comes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dce_play.discord.targets.model import TargetsFile
from dce_play.errors import ExitCode
from dce_play.events import ErrorFacts, Mode, Outcome
from dce_play.plugin import Selection, StepRecord, no_steps
from dce_play.runner.fan_out.order import ItemResult
from dce_play.source import JsonValue
from dce_play.system.clock import Clock, SystemClock
from dce_play.system.process.executor import Executor

Ask = Callable[[str, tuple[str, ...]], str]
"""Asks the operator: the question and the possible answers, and returns one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Everything about a run that is not in its plan. A rehearsal overlays environment, archive root and targets."""

    run_id: str
    run_folder: Path
    """The engine creates it. Absolute, and never below the archive root."""
    folder: Path
    """The working folder: relative paths in params are below it. Absolute."""
    environment: Mapping[str, str]
    executor: Executor | None = None
    """``None``: programs run on this machine, with the environment of the step."""
    mode: Mode = Mode.RUN
    params: Mapping[str, object] = field(default_factory=dict)
    """The playbook's params as expressions see them."""
    recorded_params: Mapping[str, JsonValue] = field(default_factory=dict)
    """The same as the journal shows them: secrets as references."""
    archive_root: Path | None = None
    targets: TargetsFile | None = None
    selection: Selection = field(default_factory=Selection)
    steps: frozenset[str] | None = None
    """Ids of the steps to run, as ``choose_steps`` gives them; ``None`` runs all."""
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    """The command line's options that shape the run; ``resume`` reads them back."""
    ask: Ask | None = None
    """``None``: nobody is there to ask."""
    assume_yes: bool = False
    step_by_step: bool = False
    interrupted: str | None = None
    """``repeat`` or ``skip``: what a resume does with an interrupted step that may not be repeated; ``None`` asks."""
    lock_wait_s: float = 0.0
    timeout_s: float | None = None
    grace_s: float = 10.0
    """How long a step may take to stop when asked to."""
    allow_unattended: bool = False
    """Whether the command line allows what needs a person where nobody is."""
    steps_of: Callable[[str], frozenset[str]] = no_steps
    """Tells which step plugins a playbook uses."""
    strict: bool = False
    """Items that steps skipped make the run end with exit code 8."""
    detailed_exitcode: bool = False
    """A dry run that would change something ends with exit code 10."""
    seal: bool = False
    """Whether a dry run may have the kernel forbid this process to write elsewhere until it ends."""
    report_folders: tuple[Path, ...] = ()
    """Where the run's report goes besides the run folder: the seal leaves these open, the guard over steps does not."""
    known_secrets: frozenset[str] = field(default_factory=frozenset, repr=False)
    """Masked from the first event on, whether a step needs them or not."""
    apply_command: str = ""
    """What to type after a dry run."""
    resume_command: str = ""
    """What to type after a run that did not end well."""
    clock: Clock = field(default_factory=SystemClock)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended. The same facts are in its last event."""

    run_id: str
    run_folder: Path
    outcome: Outcome
    exit_code: ExitCode
    records: tuple[StepRecord, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    outputs: Mapping[str, object] = field(default_factory=dict)
    error: ErrorFacts | None = None
    item: ItemResult | None = None
    """What the run of an item gives its parent; ``None`` where it did not come to the item."""
