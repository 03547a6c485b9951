"""How a project stands, for programs: as JSON, and as metrics for Prometheus's text file collector."""

from collections.abc import Iterator
from datetime import datetime

from dce_play.history.nights import Attempt
from dce_play.history.standing import Standing, TargetStanding
from dce_play.history.standing_text import state_word
from dce_play.history.when import age_s
from dce_play.source import JsonValue
from dce_play.system.clock import utc_stamp

VERSION = 1


def standing_json(standing: Standing, /) -> dict[str, JsonValue]:
    """Return the whole as one JSON object. Times are UTC, ages seconds."""
    return {
        "v": VERSION,
        "at": utc_stamp(standing.now),
        "level": int(standing.level),
        "verdict": standing.level.name.lower(),
        "archive_root": str(standing.archive_root),
        "warn_after_s": standing.limits.warn_after.total_seconds(),
        "fail_after_s": standing.limits.fail_after.total_seconds(),
        "targets": [_target(target, standing) for target in standing.targets],
        "remarks": [
            {"level": int(each.level), "target": each.target, "text": each.text, "fix": each.fix}
            for each in standing.remarks
        ],
        "lock": None if standing.lock is None else {"verdict": standing.lock.verdict, "state": standing.lock.state},
        "running": [
            {"run": row.info.run_id, "name": row.info.name, "place": row.place.words(row.info.step_count)}
            for row in standing.running
        ],
        "next": [{"name": job.name, "at": utc_stamp(job.next_at), "by": job.by} for job in standing.schedule.jobs],
        "next_unknown": standing.schedule.unknown,
    }


def _target(target: TargetStanding, standing: Standing) -> dict[str, JsonValue]:
    growth = target.growth
    return {
        "name": target.name,
        "state": state_word(target, standing),
        "enabled": target.enabled,
        "removed": target.removed,
        "folder": None if target.folder is None else str(target.folder),
        "channels": growth.channels,
        "messages": growth.messages,
        "uncounted_channels": growth.uncounted,
        "growth": [{"day": day.isoformat(), "messages": count} for day, count in growth.by_day],
        "last_append": growth.last_append,
        "last_success": _attempt(target.last_success, standing.now),
        "last_attempt": _attempt(target.last_attempt, standing.now),
        "unarchived": list(target.unarchived),
        "forbidden": list(target.forbidden),
        "vanished": list(target.vanished),
        "media": target.media,
    }


def _attempt(attempt: Attempt | None, now: datetime) -> JsonValue:
    if attempt is None:
        return None
    return {
        "run": attempt.run_id,
        "state": attempt.word,
        "at": attempt.at,
        "age_s": round(age_s(attempt.at, now), 1) if attempt.at else None,
        "error": attempt.error,
        "added": attempt.gain.added if attempt.gain is not None else None,
    }


def seconds(stamp: str) -> float:
    """Return a time of an event as seconds since 1970."""
    return datetime.fromisoformat(stamp).timestamp()


def standing_metrics(standing: Standing, /) -> str:
    """Return the metrics in Prometheus's text format, as its text file collector reads them."""
    from prometheus_client import CollectorRegistry, generate_latest  # 60 ms that the other formats do not need
    from prometheus_client.core import GaugeMetricFamily, Metric

    def gauge(
        name: str, help_text: str, *samples: tuple[tuple[str, ...], float], labels: tuple[str, ...] = ()
    ) -> Metric:
        family = GaugeMetricFamily(f"dce_play_{name}", help_text, labels=labels)
        for values, number in samples:
            family.add_metric(values, number)
        return family

    class Collector:
        def collect(self) -> Iterator[Metric]:
            label = ("target",)
            kept = [target for target in standing.targets if not target.removed]
            done = [(each.name, each.last_success) for each in standing.targets if each.last_success is not None]
            tried = [(each.name, each.last_attempt) for each in standing.targets if each.last_attempt is not None]
            yield gauge("status", "0 well, 1 a warning, 2 critical", ((), standing.level))
            yield gauge("status_timestamp_seconds", "When this was found out", ((), standing.now.timestamp()))
            success = [((name,), seconds(each.at)) for name, each in done]
            text = "When a run last brought the target to a good end"
            yield gauge("target_last_success_timestamp_seconds", text, *success, labels=label)
            last = [((name,), float(each.word == "ok")) for name, each in tried]
            yield gauge("target_last_run_ok", "Whether the last run did", *last, labels=label)
            added = [((name,), float(each.gain.added)) for name, each in tried if each.gain is not None]
            yield gauge("target_last_run_messages", "Messages that the last run added", *added, labels=label)
            for name, text, numbers in (
                ("target_enabled", "Whether runs over all targets have it", lambda each: each.enabled),
                ("target_messages", "Messages in the archive", lambda each: each.growth.messages),
                ("target_channels", "Channel files", lambda each: each.growth.channels),
                ("target_uncounted_channels", "Channel files of unknown count", lambda each: each.growth.uncounted),
                ("target_unarchived_channels", "Channels that no run archives", lambda each: len(each.unarchived)),
            ):
                yield gauge(name, text, *(((each.name,), float(numbers(each))) for each in kept), labels=label)
            yield gauge("runs_running", "Runs of this project that go on", ((), len(standing.running)))
            if standing.lock is not None:
                yield gauge("lock_held", "Whether the archive's lock is held", ((), standing.lock.verdict == "held"))
            due = [((job.name,), job.next_at.timestamp()) for job in standing.schedule.jobs]
            yield gauge("next_run_timestamp_seconds", "When a job runs next", *due, labels=("job",))

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return generate_latest(registry).decode()
