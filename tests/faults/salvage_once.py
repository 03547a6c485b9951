"""One salvage in a process of its own, to be killed: ``python -m tests.faults.salvage_once FOLDER``."""

import sys
from pathlib import Path

from dce_play.discord.archive.salvage.salvage import salvage_target
from dce_play.layout import TargetLayout
from dce_play.system.clock import SystemClock

if __name__ == "__main__":
    salvage_target(TargetLayout(Path(sys.argv[1])), run_id="killed", clock=SystemClock(), environment={})
