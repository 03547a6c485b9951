"""What is asked and told before a step runs: ``--step``, steps that were interrupted, and the lock's note."""

from dataclasses import dataclass

from dce_play.errors import DcePlayError, ExitCode
from dce_play.events import StepRef
from dce_play.playbook.plan.plan import PlannedStep
from dce_play.plugin import Effects, NobodyToAsk
from dce_play.runner.context import RunServices


class LeftByHand(DcePlayError):
    """The operator ended the run at a question."""

    exit_code = ExitCode.FAILED

    def __init__(self) -> None:
        super().__init__("ended by hand")


class InterruptedStep(NobodyToAsk):
    """A step that may not be repeated was interrupted, and nobody is there to decide."""

    def __init__(self, step: str) -> None:
        super().__init__(f"{step} was interrupted and may have done half of its work; run it again?")
        self.hint = "look at what it did, then resume at a terminal, or with --repeat or --skip"


@dataclass(slots=True)
class Gate:
    """Stands before every step."""

    services: RunServices
    by_step: bool = False

    def __post_init__(self) -> None:
        self.by_step = self.services.settings.step_by_step

    def announce(self, node: PlannedStep, ref: StepRef, /) -> bool:
        """Return whether to run the step; with ``--step`` the operator decides.

        Raises: LeftByHand; NobodyToAsk.
        """
        if self.by_step:
            question = f"run {ref.name}?"
            match self.services.operator(ref).choose(question, ("yes", "no", "all", "quit")):
                case "no":
                    return False
                case "all":
                    self.by_step = False
                case "quit":
                    raise LeftByHand
        if self.services.update_step is not None and node.plugin.EFFECTS is not Effects.NONE:
            self.services.update_step(ref.id)
        return True

    def settle(self, _node: PlannedStep, ref: StepRef, /) -> str:
        """Return ``repeat`` or ``skip`` for a step that was interrupted and may not be repeated; ``give-up`` where the
        run is of one item, as nobody is there.

        Raises: InterruptedStep, when nobody is there to ask; LeftByHand.
        """
        decided = self.services.settings.interrupted
        if decided is not None:
            return decided
        if self.services.item is not None:
            return "give-up"
        if self.services.settings.ask is None:
            raise InterruptedStep(ref.id)
        question = f"{ref.id} was interrupted and may have done half of its work; run it again, or take it as done?"
        answer = self.services.operator(ref).choose(question, ("repeat", "skip", "quit"))
        if answer == "quit":
            raise LeftByHand
        return answer
