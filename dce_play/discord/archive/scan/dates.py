"""The times that exporters write."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from dce_play.discord.archive.scan.head import Head
from dce_play.discord.archive.scan.strict_json import strict_value

NEVER = datetime.min.replace(tzinfo=UTC)


def widest_dates(heads: Sequence[Head]) -> Mapping[str, bytes]:
    """Return the values of ``dateRange`` that are not the first file's, as they are written."""
    after = [head.after for head in heads]
    before = [head.before for head in heads]
    widest = {
        "after": None if None in after else min(filter(None, after), key=moment_of),
        "before": None if None in before else max(filter(None, before), key=moment_of),
    }
    mine = {"after": heads[0].after, "before": heads[0].before}
    return {key: json.dumps(value).encode("ascii") for key, value in widest.items() if value != mine[key]}


def edited_at(message: bytes) -> datetime:
    """Return when a message was edited last, or the earliest time there is."""
    value = strict_value(message)
    edited = value.get("timestampEdited")
    return moment_of(edited) if isinstance(edited, str) else NEVER


def moment_of(text: str) -> datetime:
    """Return a time that an exporter wrote; one that cannot be read counts as the earliest."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return NEVER
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
