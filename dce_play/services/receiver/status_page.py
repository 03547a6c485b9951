"""The status as a page: one file, no script, light and dark, to be read on a phone too."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from dce_play.services.receiver.tally import NOBODY
from dce_play.system.counted import counted

_SILENT_S = 3600.0
_SOON_S = 30 * 86400.0

_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1a1c1e;--dim:#5c6370;--line:#d9dde3;--card:#f6f7f9;--good:#146c2e;
--warn:#8a5a00;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--bg:#14161a;--fg:#e6e8eb;--dim:#9aa3af;--line:#33383f;--card:#1d2026;
--good:#6fd08c;--warn:#f0b849;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0 auto;padding:16px;max-width:1100px;background:var(--bg);color:var(--fg);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.35rem;margin:0 0 4px}h2{font-size:1.05rem;margin:24px 0 8px}
p{margin:0 0 8px}.dim{color:var(--dim)}.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:8px;margin:12px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px}
.tile b{display:block;font-size:1.15rem;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:6px 16px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--dim);font-size:.85rem}td.n,th.n{text-align:right;white-space:nowrap;padding-right:22px}
td:first-child{min-width:8.5rem}.whole{white-space:nowrap}
@media (max-width:760px){thead{display:none}table,tbody,tr,td{display:block}
tr{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px 10px;margin:0 0 8px}
td,td.n{border:0;padding:2px 0;text-align:left;white-space:normal;display:flex;gap:8px}
td::before{content:attr(data-label);color:var(--dim);flex:0 0 7.5rem}
td>span{overflow-wrap:anywhere;min-width:0}}
"""


def status_page(status: Mapping[str, Any]) -> str:
    """Return the whole page."""
    name = escape(status["receiver"])
    healthy = '<b class="good">takes episodes</b>' if status["ok"] else f'<b class="bad">{_text(status["problem"])}</b>'
    rows = "".join(_row(host, _moment(status["time"])) for host in status["hosts"])
    head = "".join(f"<th{kind}>{title}</th>" for title, kind in _COLUMNS)
    empty = "" if rows else '<p class="dim">No host has sent anything yet.</p>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="refresh" content="30">'
        f"<title>{name}: receiver</title><style>{_STYLE}</style></head><body>"
        f"<h1>{name}</h1><p class=dim>dce-play {escape(status['version'])}, at {escape(status['time'])}</p>"
        f'<div class="tiles">{_tile("now", healthy)}{_tiles(status)}</div>'
        f"<h2>Version gate</h2>{_gate(status['gate'])}"
        f"<h2>Hosts</h2>{empty}"
        + (f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else "")
        + "</body></html>\n"
    )


_COLUMNS: Sequence[tuple[str, str]] = (
    ("host", ""),
    ("last seen", ""),
    ("today", ' class="n"'),
    ("in all", ' class="n"'),
    ("refused", ""),
    ("commit", ""),
    ("certificate ends", ""),
)


def _tiles(status: Mapping[str, Any]) -> str:
    store = status["store"]
    free = "no limit" if store["free_bytes"] is None else size_text(store["free_bytes"])
    tiles = [
        _tile("free in the store", f"<b>{free}</b>"),
        _tile("episodes stored", f"<b>{store['episodes']:,}</b>{size_text(store['bytes'])}"),
        _tile("running uploads", f"<b>{status['inflight']}</b>"),
    ]
    if store["unlisted"]:
        tiles.append(_tile("not in the index", f'<b class="warn">{store["unlisted"]}</b><code>receive backfill</code>'))
    if status["cert_not_after"]:
        tiles.append(_tile("our certificate ends", f"<b>{_end(status['cert_not_after'], status['time'])}</b>"))
    return "".join(tiles)


def _tile(title: str, inner: str) -> str:
    return f'<div class="tile"><span class="dim">{title}</span>{inner}</div>'


def _gate(gate: Mapping[str, Any]) -> str:
    if not gate["enabled"]:
        return '<p class="warn"><b>Off:</b> episodes of any code are taken, unstamped ones too.</p>'
    problems = "".join(
        f'<p class="warn">{escape(source)}: {escape(reason)}</p>'
        for source, reason in gate["sources"].items()
        if reason
    )
    if gate["head_commit"] is None:
        return f'<p class="bad"><b>Unknown:</b> no source has answered yet; episodes have to wait.</p>{problems}'
    age = f", {duration_text(gate['age_s'])} old" if gate["age_s"] is not None else ""
    return (
        f"<p>The newest {counted(gate['window'], 'commit')} up to <code>{escape(gate['head_commit'])}</code>, "
        f"from {escape(gate['source'] or '')}{age}.</p>{problems}"
    )


def _row(host: Mapping[str, Any], now: datetime) -> str:
    refused = ", ".join(f"{escape(code)} ×{count}" for code, count in host["refusals"].items())
    cells = (
        _name(host["host_id"]),
        _seen(host, now),
        _amount(host["episodes_today"], host["bytes_today"]),
        _amount(host["episodes"], host["bytes"]),
        f'<span class="bad">{refused}</span>' if refused else '<span class="dim">none</span>',
        _commit(host["commit"], host["verdict"]),
        _end(host["cert_not_after"], now.isoformat()) if host["cert_not_after"] else '<span class="dim">–</span>',
    )
    labelled = zip(_COLUMNS, cells, strict=True)
    return (
        "<tr>"
        + "".join(f'<td{kind} data-label="{title}"><span>{cell}</span></td>' for (title, kind), cell in labelled)
        + "</tr>"
    )


def _name(host_id: str) -> str:
    return '<span class="dim">without a good token</span>' if host_id == NOBODY else f"<b>{escape(host_id)}</b>"


def _seen(host: Mapping[str, Any], now: datetime) -> str:
    if host["host_id"] == NOBODY:
        return '<span class="dim">–</span>'
    if host["last_seen"] is None:
        if host["last_stored"] is None:
            return '<span class="warn">silent, never heard</span>'
        since = duration_text((now - _moment(host["last_stored"])).total_seconds())
        return f'<span class="warn" title="{escape(host["last_stored"])}">silent, stored {since} ago</span>'
    age = (now - _moment(host["last_seen"])).total_seconds()
    silent = age > _SILENT_S
    kind, word = ("warn", "silent, heard ") if silent else ("good", "")
    return f'<span class="{kind}" title="{escape(host["last_seen"])}">{word}{duration_text(age)} ago</span>'


def _amount(episodes: int, size: int) -> str:
    return f"{episodes:,} · {size_text(size)}" if episodes else '<span class="dim">none</span>'


def _commit(commit: str | None, verdict: str | None) -> str:
    if commit is None and verdict is None:
        return '<span class="dim">–</span>'
    kind = "good" if verdict == "in_window" else "dim" if verdict in {"off", "unknown"} else "bad"
    words = (verdict or "").replace("_", " ")
    return f'<code>{escape((commit or "none")[:12])}</code> <span class="{kind} whole">{escape(words)}</span>'


def _end(stamp: str, now: str) -> str:
    left = (_moment(stamp) - _moment(now)).total_seconds()
    kind = "bad" if left <= 0 else "warn" if left < _SOON_S else ""
    return f'<span class="{kind}">{escape(stamp[:10])}</span>'


def _moment(stamp: str) -> datetime:
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _text(value: object) -> str:
    return escape(str(value))


def size_text(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def duration_text(seconds: float) -> str:
    """Return a length of time for people."""
    if seconds < 90:
        return f"{max(0, seconds):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else counted(round(seconds / 86400), "day")
