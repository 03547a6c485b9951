"""Names of the files that a scrape leaves for people: one a target, never two targets in one."""

import hashlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path

_OTHER = re.compile(r"[^A-Za-z0-9._-]")


def slug(name: str) -> str:
    """Return the name with every character outside ``A-Za-z0-9._-`` as an underscore."""
    return _OTHER.sub("_", name)


def summary_path(
    target: str, *, among: Collection[str], run_folder: Path, environment: Mapping[str, str], folder: Path
) -> Path:
    """Return where a target's summary goes: ``DCE_RUN_SUMMARY_FILE``, else the run folder.

    ``among`` are the targets of the run: with more than one, each has a file of its own in either case.
    """
    given = environment.get("DCE_RUN_SUMMARY_FILE")
    own = _unique_slug(target, among)
    if not given:
        return run_folder / f"{own}.summary.json"
    path = folder / given
    return path if len(set(among)) <= 1 else path.with_name(f"{path.stem}-{own}{path.suffix}")


def _unique_slug(target: str, among: Collection[str]) -> str:
    own = slug(target)
    clash = any(other != target and slug(other) == own for other in among)
    return f"{own}-{hashlib.sha256(target.encode()).hexdigest()[:8]}" if clash else own
