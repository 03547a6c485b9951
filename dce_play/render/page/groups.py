"""The groups of steps (blocks, roles, included playbooks) that a page is in, and what they hold back.

Items of a loop may run side by side: their events come mixed, so that a step's groups are found by its address.
"""

from dataclasses import dataclass, field

from dce_play.events import GROUPS, StepEnded, StepRef, StepStarted


@dataclass(slots=True)
class Group:
    """One group that has begun."""

    step: StepRef
    held: list[StepEnded] = field(default_factory=list)
    """Steps that ended well and are not on the page yet."""
    shown: bool = False
    label: str = ""
    """What stands above its lines, where that is not its name but what its items belong to."""


class Groups:
    """Those that have begun and not ended."""

    def __init__(self) -> None:
        self._begun: dict[str, Group] = {}
        self._last: Group | None = None

    def begin(self, body: StepStarted, /) -> None:
        """Take note of a group that begins; loops stand for nothing themselves."""
        if body.step.uses in GROUPS and body.step.uses != "loop" and body.attempt == 1:
            self._begun[body.step.id] = Group(step=body.step)

    def end(self, step: StepRef, /) -> Group | None:
        """Return the group that ended, if it is one."""
        return self._begun.pop(step.id, None)

    def around(self, step: StepRef, /) -> list[Group]:
        """Return the groups that the step is in, the outermost first."""
        return [group for address, group in self._begun.items() if step.id.startswith(f"{address}/")]

    def note_last(self, group: Group, /) -> None:
        """Take note that the last line on the page is this group's."""
        self._last = group

    def follows_another(self, group: Group, /) -> bool:
        """Return whether the lines above are those of another group that goes on beside this one."""
        last = self._last
        if last is None or last is group or last.step.id not in self._begun:
            return False
        return not (f"{last.step.id}/".startswith(f"{group.step.id}/") or group.step.id.startswith(f"{last.step.id}/"))
