"""Where targets may keep their archives: inside the root, each in a folder of its own, symlinks included."""

import shlex
from pathlib import Path

from dce_play.discord.targets.model import Target
from dce_play.discord.targets.values import Reader
from dce_play.source import Pointer


def check_places(reader: Reader, root: Path, targets: list[tuple[Pointer, Target]]) -> None:
    """Report folders outside the root, equal to it, shared, or one inside the other.

    Source: docs/contract.md, R-1.06 to R-1.08.
    """
    resolved_root = root.resolve()
    places: list[tuple[Pointer, Target, Path]] = []
    for pointer, target in targets:
        place = _place(reader, (*pointer, "output_dir"), target, resolved_root)
        if place is not None:
            places.append((pointer, target, place))
    for number, (pointer, target, place) in enumerate(places):
        for other_pointer, other, other_place in places[:number]:
            if not (place.is_relative_to(other_place) or other_place.is_relative_to(place)):
                continue
            relation = "is also that of" if place == other_place else "overlaps that of"
            reader.report(
                (*pointer, "output_dir"),
                "E105",
                f"output_dir of target {target.name!r} {relation} target {other.name!r}",
                "give each target a folder of its own",
                related=(("the other one", reader.document.value_span((*other_pointer, "output_dir"))),),
            )


def _place(reader: Reader, pointer: Pointer, target: Target, root: Path) -> Path | None:
    text = str(reader.value(pointer))
    if not text.startswith("/") or {".", ".."} & set(text.split("/")):
        message = f"output_dir of target {target.name!r} must be an absolute path without . or .."
        reader.report(pointer, "E103", message, f"write {root / target.name}")
        return None
    try:
        place = target.output_dir.resolve()
    except (RuntimeError, OSError):  # Python 3.11 and 3.12 say RuntimeError
        message = f"output_dir of target {target.name!r} leads round in a circle of symbolic links"
        reader.report(pointer, "E103", message, f"look at it: ls -ld {shlex.quote(text)}")
        return None
    if place == root:
        reader.report(
            pointer,
            "E103",
            f"output_dir of target {target.name!r} is the archive root itself",
            f"use {root / target.name}",
        )
        return None
    if not place.is_relative_to(root):
        through = "" if Path(text) == place else f" (it leads to {place})"
        message = f"output_dir of target {target.name!r} is outside archive_root{through}"
        reader.report(pointer, "E103", message, f"put it below {root}")
        return None
    return place
