"""How a project stands as a page: a card a target with its growth, what is wrong and the command that mends it."""

from dataclasses import dataclass

from dce_play.events import Mode
from dce_play.history.run_rows import came_of_it, targets_words
from dce_play.history.standing import Level, Standing, TargetStanding
from dce_play.history.standing_text import lock_words, next_words, state_word
from dce_play.history.when import age, age_s, day_and_time
from dce_play.pages.chart import Chart, growth_chart
from dce_play.pages.paper import page
from dce_play.pages.run_page import tone_of
from dce_play.render.text import duration
from dce_play.runner.record.folders import State

_TONES = {Level.OK: "good", Level.WARNING: "odd", Level.CRITICAL: "bad"}
_VERDICTS = {Level.OK: "All is well", Level.WARNING: "Somebody should look", Level.CRITICAL: "Something is wrong"}
_QUIET = frozenset({"disabled", "removed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetShown:
    """One target's card."""

    standing: TargetStanding
    word: str
    tone: str
    success: str
    chart: Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class RunShown:
    """One line of the last runs."""

    when: str
    word: str
    tone: str
    took: str
    name: str
    targets: str
    came_of_it: str
    short_id: str


def status_page(standing: Standing, /) -> bytes:
    """Return the page as UTF-8."""
    return page(
        "status.html.j2",
        title=f"{standing.level.name} · {standing.archive_root.name}",
        standing=standing,
        verdict=_VERDICTS[standing.level],
        tone=_TONES[standing.level],
        remarks=[(_TONES[each.level], each) for each in standing.remarks],
        targets=[_target(each, standing) for each in standing.targets],
        messages=sum(each.growth.messages for each in standing.targets),
        bare=[each.name for each in standing.targets if each.enabled and not each.media],
        lock=lock_words(standing),
        next_words=next_words(standing.schedule, standing.now),
        runs=_runs(standing),
        now=standing.now,
    )


def _target(target: TargetStanding, standing: Standing) -> TargetShown:
    word = state_word(target, standing)
    success = target.last_success
    return TargetShown(
        standing=target,
        word=word,
        tone="quiet" if word in _QUIET else "bad" if word in {"never", "lost", "missing"} else tone_of(word),
        success=f"{age(age_s(success.at, standing.now))} ago" if success is not None else "never",
        chart=growth_chart(target.growth.by_day),
    )


def _runs(standing: Standing) -> list[RunShown]:
    return [
        RunShown(
            when=day_and_time(row.info.started, standing.now),
            word=row.word,
            tone=tone_of(row.word),
            took="" if row.info.state in {State.RUNNING, State.LOST, State.DAMAGED} else duration(row.info.duration_s),
            name=f"{row.info.name} (dry run)" if row.info.mode is Mode.DRY_RUN else row.info.name,
            targets=targets_words(row.info.targets),
            came_of_it=came_of_it(row),
            short_id=row.info.short_id,
        )
        for row in (*standing.running, *standing.recent)
    ]
