"""How many modules a run walks through before a step that does nothing is applied. ``python benchmarks/walks.py``

Three walks, each in a process and a folder of its own, so that nothing is read or cached before:

- ``modules``: modules of ours in which a function is called from the first word of the command line to ``apply``.
- ``rooms``: folders entered from ``execute`` to ``apply``; ``climbs``, calls into a folder that still waits for its
  own call to return; ``returns``, calls into a folder that was left before.
- ``module_climbs`` and ``module_returns``: the same of modules.

What modules do while they are imported does not count: it is no walk of the request.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

TOP = Path(__file__).parents[1]
OURS = f"{TOP / 'dce_play'}{os.sep}"
PLAYBOOK = "version: 1\nname: nothing\nsteps:\n  - report.say: {text: here}\n"
_FUNCTION = 0x1
"""The flag of code that has fast locals: a function's, and not a module's or a class's."""


class Walk:
    """Which places are entered, in order. A place is a module or a folder."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.climbs = self.returns = 0
        self._waiting: list[str] = []

    def enter(self, place: str) -> None:
        """A function of this place is called."""
        if self._waiting and self._waiting[-1] != place:
            self.climbs += place in self._waiting
            self.returns += place in self.seen and place not in self._waiting
        self.seen.add(place)
        self._waiting.append(place)

    def leave(self) -> None:
        """The last function that was entered is over."""
        if self._waiting:
            self._waiting.pop()


class Walker:
    """Follows calls, until the step is applied."""

    def __init__(self) -> None:
        self.modules, self.after, self.rooms = Walk(), Walk(), Walk()
        self._importing = 0
        self._from_execute = False

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Take one event of ``sys.setprofile``."""
        name = frame.f_code.co_filename
        if event not in {"call", "return"} or not name.startswith(OURS):
            return
        if not frame.f_code.co_flags & _FUNCTION:
            if frame.f_code.co_name == "<module>":
                self._importing += 1 if event == "call" else -1
            return
        if self._importing:
            return
        place = name.removeprefix(OURS)
        if event == "return":
            self._leave()
            return
        self._enter(place, frame.f_code.co_name)

    def _enter(self, place: str, function: str) -> None:
        self._from_execute |= (place, function) == ("cli/run/running.py", "execute")
        self.modules.enter(place)
        if self._from_execute:
            self.after.enter(place)
            self.rooms.enter(place.rpartition("/")[0])
        if (place, function) == ("steps/flow/report_say.py", "apply"):
            sys.setprofile(None)
            told = {
                "modules": len(self.modules.seen),
                "modules_from_execute": len(self.after.seen),
                "rooms": len(self.rooms.seen),
                "climbs": self.rooms.climbs,
                "returns": self.rooms.returns,
                "module_climbs": self.after.climbs,
                "module_returns": self.after.returns,
            }
            if os.environ.get("WALKS_NAMES"):
                print(*sorted(self.modules.seen), sep="\n", file=sys.stderr)
            print(json.dumps(told), flush=True)
            os._exit(0)

    def _leave(self) -> None:
        self.modules.leave()
        if self._from_execute:
            self.after.leave()
            self.rooms.leave()


def walk() -> None:
    """Run the playbook in this process, and print what was walked when its step is applied."""
    from dce_play.cli.app.main import main

    sys.setprofile(Walker())
    main(["run", "nothing.yml"])


def count() -> dict[str, int]:
    """Return the figures of a run in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "nothing.yml").write_text(PLAYBOOK, encoding="utf-8")
        home = {name: str(Path(folder) / "home") for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
        done = subprocess.run(
            [sys.executable, __file__, "walk"],
            cwd=folder,
            env={**os.environ, **home, "PYTHONPATH": str(TOP)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["walk"]:
        walk()
    else:
        for name, number in count().items():
            print(f"{name:<22}{number:>5}")
