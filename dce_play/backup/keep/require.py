"""Is there a fresh verified backup? What an apply asks before it touches a module."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency
from dce_play.backup.keep.retention import CLOCK_SLACK_S
from dce_play.backup.store.catalog import Catalog
from dce_play.backup.store.root import check_safe_root
from dce_play.source import did_you_mean
from dce_play.system.quantities import show_duration


class Required(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: a file, or a reason and the command to type."""

    file: str | None = None
    age_s: float | None = None
    level: int | None = None
    reason: str = ""
    hint: str = ""


def require(
    module: str,
    catalog: Catalog,
    *,
    now: datetime,
    max_age_s: float,
    min_level: int,
    consistency: Collection[str] = (),
) -> Required:
    """Return the newest good regular backup that is young, checked and consistent enough, or why there is none.

    Raises: BackupError: ``usage``, for a consistency that there is not; ``unsafe-root``, as where others may write
    nothing that lies there proves anything.
    """
    known = {str(each) for each in Consistency}
    strange = next((each for each in consistency if each not in known), None)
    if strange is not None:
        hint = did_you_mean(strange, known) or f"one of {', '.join(sorted(known))}"
        raise BackupError(ErrorId.USAGE, f'no consistency "{strange}"', hint=hint)
    check_safe_root(catalog.root)
    unfinished = catalog.restore_of(module)
    if unfinished is not None:
        return Required(reason=unfinished.told(), hint=unfinished.way_out())
    hint = f"dce-play backup run {module}" + (" --drill" if min_level > 2 else "")
    regular = [entry for entry in catalog.of(module) if not entry.is_safety]
    if not regular:
        return Required(reason=f"there is no backup of {module}", hint=hint)
    good = [entry for entry in regular if entry.is_good]
    if not good:
        return Required(reason=f"no backup of {module} is good: {regular[0].file} is the newest", hint=hint)
    checked = [entry for entry in good if entry.manifest.verification.level >= min_level]
    if not checked:
        level = max(entry.manifest.verification.level for entry in good)
        hint = f"dce-play backup verify {good[0].file}" if min_level < 3 else f"dce-play backup drill {good[0].file}"
        return Required(reason=f"no backup of {module} is verified at level {min_level}, only at {level}", hint=hint)
    fitting = [entry for entry in checked if not consistency or entry.manifest.consistency in consistency]
    if not fitting:
        wanted, is_now = " or ".join(sorted(consistency)), checked[0].manifest.consistency
        held = "; its quiesce.mode holds it still" if Consistency.QUIESCED in consistency else ""
        return Required(reason=f"no backup of {module} is {wanted}: {is_now}{held}", hint=hint)
    for entry in fitting:
        age_s = (now - entry.ended).total_seconds()
        if age_s < -CLOCK_SLACK_S:
            continue
        if age_s <= max_age_s:
            return Required(file=entry.file, age_s=max(0.0, age_s), level=entry.manifest.verification.level)
        age, most = show_duration(age_s), show_duration(max_age_s)
        return Required(reason=f"the newest backup of {module} is {age} old, and at most {most} will do", hint=hint)
    return Required(reason=f"every backup of {module} is from the future: which clock is wrong?", hint=hint)
