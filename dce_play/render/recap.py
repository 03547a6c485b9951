"""A run in a few lines of plain text, for whoever was not there: mail, phones, monitors."""

from collections.abc import Iterator, Mapping, Sequence

from dce_play.render.text import duration, one_line
from dce_play.source import JsonValue
from dce_play.system.counted import counted
from dce_play.system.foreign_text import clean

_COUNTED = ("ok", "changed", "rescued", "reused", "skipped", "failed", "not-run")
_TOLD = ("failed", "rescued", "changed")
_AT_MOST = 12


def recap_title(name: str, outcome: str, exit_code: int | None, /) -> str:
    """Return one line: ``proof failed (exit 1)``."""
    words = {"ok": "ended well", "failed": "failed", "interrupted": "was interrupted", "lost": "was killed"}
    code = f" (exit {exit_code})" if exit_code and outcome != "lost" else ""
    return f"{one_line(name)} {words.get(outcome, outcome)}{code}"


def recap_text(report: Mapping[str, JsonValue], /) -> str:
    """Return the recap of a report, as ``fold_report`` makes it; empty when there is nothing to tell."""
    return "\n".join(_lines(report)).strip()


def _lines(report: Mapping[str, JsonValue]) -> Iterator[str]:
    yield from _counted(report)
    steps = [step for step in _list(report.get("steps")) if not step.get("group")]
    told = [step for step in steps if step.get("status") in _TOLD or _has_news(step)]
    told.sort(key=lambda step: (*_TOLD, "ok").index(str(step["status"])))
    for step in told[:_AT_MOST]:
        yield from _step(step)
    if len(told) > _AT_MOST:
        yield f"and {counted(len(told) - _AT_MOST, 'step')} more"
    error = report.get("error")
    if isinstance(error, Mapping) and not any(_message(step) == error.get("message") for step in told[:_AT_MOST]):
        yield ""
        yield from _error(error, "")
    for warning in _list(report.get("diagnostics")):
        yield f"{warning.get('severity')}: {one_line(str(warning.get('message')))}"
    if report.get("next_command"):
        yield ""
        yield f"next: {report['next_command']}"
    yield ""
    if report.get("run"):
        yield f"run {report['run']}"
    if report.get("archive_root"):
        yield f"archive {report['archive_root']}"


def _counted(report: Mapping[str, JsonValue]) -> Iterator[str]:
    counts = report.get("counts")
    parts = []
    taken = report.get("duration_s")
    if isinstance(taken, int | float) and taken > 0:
        parts.append(f"in {duration(taken)}")
    if isinstance(counts, Mapping):
        parts += [f"{counts[status]} {status.replace('-', ' ')}" for status in _COUNTED if counts.get(status)]
    if parts:
        yield ", ".join(parts)


def _step(step: Mapping[str, JsonValue]) -> Iterator[str]:
    yield ""
    summary = "" if step.get("error") else one_line(str(step.get("summary") or ""))
    yield f"{step['status']}: {one_line(str(step.get('name')))}{f' - {summary}' if summary else ''}"
    outputs, error = step.get("outputs"), step.get("error")
    for text in _texts(outputs.get("news") if isinstance(outputs, Mapping) else None):
        yield f"    ! {one_line(text)}"
    if isinstance(error, Mapping):
        yield from _error(error, "    ")


def _has_news(step: Mapping[str, JsonValue]) -> bool:
    """Return whether a step that changed nothing met something that somebody should know."""
    outputs = step.get("outputs")
    return step.get("status") == "ok" and isinstance(outputs, Mapping) and bool(outputs.get("news"))


def _error(error: Mapping[str, JsonValue], indent: str) -> Iterator[str]:
    for line in clean(str(error.get("message") or "")).splitlines():
        yield f"{indent}{line}"
    for line in clean(str(error.get("hint") or "")).splitlines():
        yield f"{indent}  {line}"


def _message(step: Mapping[str, JsonValue]) -> JsonValue:
    error = step.get("error")
    return error.get("message") if isinstance(error, Mapping) else None


def _list(value: JsonValue) -> Sequence[Mapping[str, JsonValue]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _texts(value: JsonValue) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
