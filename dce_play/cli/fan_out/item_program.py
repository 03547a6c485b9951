"""The program that runs items: this very package, whatever the environment says, which stays as it is."""

import sys
from collections.abc import Mapping
from pathlib import Path

import dce_play
from dce_play.runner.fan_out.item_places import ItemProgram
from dce_play.source import JsonValue

_PACKAGE = str(Path(dce_play.__file__).parents[1])
_BEGIN = f"import sys; sys.path.insert(0, {_PACKAGE!r}); from dce_play.cli.fan_out import item_process as p; p.main()"


def item_program(
    brief: Mapping[str, JsonValue],
    environment: Mapping[str, str],
    /,
    *,
    runs: Path,
    said: Path | None = None,
    plugins: Path | None = None,
) -> ItemProgram:
    """Return what starts processes for items; ``said`` is the folder for what they say on standard error."""
    return ItemProgram(
        argv=(sys.executable, "-P", "-c", _BEGIN),
        environment=environment,
        brief=brief,
        runs=runs,
        said=said or runs,
        plugins=plugins,
    )
