#!/usr/bin/env python3
"""A stand-in for crontab(1) that keeps its table in the file named by STANDIN_CRONTAB. It is not cron."""

import os
import sys
from pathlib import Path

table = Path(os.environ["STANDIN_CRONTAB"])
if sys.argv[1:] == ["-l"]:
    if not table.exists():
        sys.exit("no crontab for tester")
    sys.stdout.buffer.write(table.read_bytes())
else:
    table.write_bytes(Path(sys.argv[1]).read_bytes())
