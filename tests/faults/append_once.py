"""One append in a process of its own, to be killed or lied to: ``python -m tests.faults.append_once ARCHIVE DELTA...``.

Prints ``ready`` before it begins and ``appended N`` once everything is durable. The target's
folder is the channel file's.
"""

import sys
from pathlib import Path

from dce_play.discord.archive.append.append import AppendOptions, ReaderSafe, append
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.system.clock import SystemClock


def main(archive: Path, deltas: list[Path]) -> int:
    options = AppendOptions(run_id="once", exporter="test", reader_safe=ReaderSafe.OFF)
    print("ready", flush=True)
    try:
        outcome = append(archive, deltas, options, layout=TargetLayout(archive.parent), clock=SystemClock())
    except DcePlayError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    print(f"appended {outcome.appended}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
