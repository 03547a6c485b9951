"""What a prune keeps, over random histories: whatever the numbers and the clocks say, the last good one stays."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.backup.keep.retention import REQUIRED_LEVEL, Candidate, retain

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
HOUR = 3600.0


@st.composite
def histories(draw: st.DrawFn) -> list[Candidate]:
    count = draw(st.integers(0, 12))
    return [
        Candidate(
            file=f"kuma-{number}.tar.gz",
            # Clocks jump: some backups end at one time, some in the future.
            ended=NOW + timedelta(hours=draw(st.integers(-2000, 48))),
            level=draw(st.integers(0, 3)),
            is_good=draw(st.booleans()),
            is_safety=draw(st.booleans()),
        )
        for number in range(count)
    ]


WITHIN = st.none() | st.integers(0, 3000).map(lambda hours: hours * HOUR)


@pytest.mark.contract("B6", "N11")
@given(histories(), st.integers(1, 5), WITHIN)
def test_the_newest_good_one_and_all_that_is_newer_stay(
    history: list[Candidate], last: int, within_s: float | None
) -> None:
    found = retain(history, now=NOW, keep_last=last, keep_within_s=within_s)
    removed = {each.file for each in found.remove}
    good = sorted((each for each in history if each.is_good and not each.is_safety), key=lambda e: (e.ended, e.file))
    if not good:
        assert found.newest_good is None
        assert removed == set()
        return
    newest = good[-1]
    assert found.newest_good == newest.file
    assert not removed & {each.file for each in good[-last:]}
    assert not removed & {each.file for each in history if (each.ended, each.file) >= (newest.ended, newest.file)}
    highest = max(each.level for each in good)
    assert any(each.level == highest and each.file not in removed for each in good)
    required = [each for each in good if each.level >= REQUIRED_LEVEL]
    assert not required or required[-1].file not in removed


@given(histories(), st.integers(1, 5), WITHIN)
def test_each_backup_is_kept_or_removed_once_with_a_reason(
    history: list[Candidate], last: int, within_s: float | None
) -> None:
    found = retain(history, now=NOW, keep_last=last, keep_within_s=within_s)
    told = [each.file for each in (*found.keep, *found.remove)]
    assert sorted(told) == sorted(each.file for each in history)
    assert all(each.reasons for each in (*found.keep, *found.remove))


@pytest.mark.contract("N11")
@given(histories(), st.integers(1, 5), WITHIN)
def test_safety_backups_go_only_by_age_and_what_is_young_stays(
    history: list[Candidate], last: int, within_s: float | None
) -> None:
    removed = {each.file for each in retain(history, now=NOW, keep_last=last, keep_within_s=within_s).remove}
    for each in history:
        if each.is_safety and within_s is None:
            assert each.file not in removed
        if within_s is not None and each.ended >= NOW - timedelta(seconds=within_s):
            assert each.file not in removed


@pytest.mark.contract("N11")
def test_a_missed_month_does_not_empty_the_folder() -> None:
    old = [
        Candidate(file=f"k-{day}", ended=NOW - timedelta(days=60 + day), level=2, is_good=True, is_safety=False)
        for day in range(5)
    ]
    found = retain(old, now=NOW, keep_last=3, keep_within_s=7 * 24 * HOUR)
    assert [each.file for each in found.keep] == ["k-0", "k-1", "k-2"]
    assert [each.file for each in found.remove] == ["k-3", "k-4"]


def ended(file: str, days: float, *, level: int = 0, good: bool = True, safety: bool = False) -> Candidate:
    return Candidate(file=file, ended=NOW - timedelta(days=days), level=level, is_good=good, is_safety=safety)


HISTORY = [
    ended("too-new", 0, good=False),
    ended("newest", 1),
    ended("second", 2),
    ended("needed", 3, level=REQUIRED_LEVEL),
    ended("proven", 4, level=REQUIRED_LEVEL + 1),
    ended("proven-before", 5, level=REQUIRED_LEVEL + 1),
    ended("broken", 6, good=False),
    ended("safety", 7, good=True, safety=True),
    Candidate(
        file="way-back", ended=NOW - timedelta(days=8), level=0, is_good=False, is_safety=False, is_way_back=True
    ),
]


@pytest.mark.contract("B6")
@pytest.mark.parametrize(
    ("within_days", "young", "safety"),
    [(None, set(), "safety"), (1, {"too-new", "newest"}, "safety-too-old"), (7, {"broken", "safety"}, "within")],
)
def test_each_backup_says_why_it_stays_or_goes(within_days: int | None, young: set[str], safety: str) -> None:
    within_s = None if within_days is None else within_days * 24 * HOUR
    found = retain(HISTORY[::-1], now=NOW, keep_last=2, keep_within_s=within_s)
    kept = {each.file: list(each.reasons) for each in found.keep}
    gone = {each.file: list(each.reasons) for each in found.remove}
    stays = {
        "too-new": ["newer-than-newest-good"],
        "newest": ["newest-good", "last-good"],
        "second": ["last-good"],
        "needed": ["required"],
        "proven": ["highest-level"],
        "way-back": ["restore-not-ended"],
    }
    for file, reasons in stays.items():
        assert [reason for reason in kept[file] if reason != "within"] == reasons
    assert young <= {file for file, reasons in kept.items() if "within" in reasons}
    assert (kept | gone)["safety"] == [safety]
    assert next(iter(kept | gone)) == "too-new"
    assert found.newest_good == "newest"
    if within_days != 7:
        assert gone == {"proven-before": ["surplus"], "broken": ["bad"]} | (
            {} if within_days is None else {"safety": [safety]}
        )


def test_without_a_good_backup_all_stays_and_says_so() -> None:
    bad = [each for each in HISTORY if not each.is_good or each.is_safety]
    found = retain(bad, now=NOW, keep_last=1, keep_within_s=0)
    assert (found.newest_good, found.remove) == (None, ())
    assert [each.file for each in found.keep] == [each.file for each in bad]
    assert all("no-good-backup" in each.reasons for each in found.keep)


def test_a_time_that_is_longer_than_the_calendar_keeps_all() -> None:
    found = retain(HISTORY, now=NOW, keep_last=1, keep_within_s=1e15)
    assert len(found.keep) == len(HISTORY)
    assert all("within" in each.reasons for each in found.keep)


@pytest.mark.parametrize("last", [1, 2, 3])
def test_so_many_good_ones_stay_and_no_more(last: int) -> None:
    good = [ended(f"k-{day}", day) for day in range(4)]
    found = retain(good, now=NOW, keep_last=last, keep_within_s=None)
    assert [each.file for each in found.keep] == [f"k-{day}" for day in range(last)]


def test_what_is_just_as_old_as_may_be_stays() -> None:
    found = retain([ended("new", 0), ended("old", 1)], now=NOW, keep_last=1, keep_within_s=24 * HOUR)
    assert [each.file for each in found.keep] == ["new", "old"]


@pytest.mark.contract("B6", "N11")
def test_what_require_would_choose_now_stays_beside_one_from_the_future() -> None:
    ahead, today, before = (
        Candidate(file=f"k-{days}", ended=NOW + timedelta(days=days), level=2, is_good=True, is_safety=False)
        for days in (400, -1, -2)
    )
    found = retain([before, today, ahead], now=NOW, keep_last=1, keep_within_s=None)
    assert [each.file for each in found.keep] == ["k-400", "k--1"]
    assert "required" in found.keep[1].reasons
