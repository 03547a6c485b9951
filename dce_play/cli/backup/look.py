"""``dce-play backup list`` and ``show``: what is there, and what one backup is."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from dce_play.backup.store.catalog import Catalog, Entry, Leftover
from dce_play.cli.backup.list_row import ListRow, row_of
from dce_play.cli.backup.office import Answer, Office, Verb, common_options
from dce_play.system.cells import aligned
from dce_play.system.counted import counted
from dce_play.system.quantities import show_duration


@click.command("list", cls=Verb)
@click.argument("modules_named", metavar="[MODULE...]", nargs=-1)
@click.option("--remote", is_flag=True, help="Look at the targets too.")
@common_options
def list_backups(modules_named: tuple[str, ...], *, remote: bool, **options: Any) -> int:
    """List backups, newest first, and what is left over of runs that died. Changes nothing.

    \b
    Example:
      dce-play backup list uptime-kuma

    Exit 5: no such module, neither defined nor with a backup.
    """
    office = Office("list", options)

    def act() -> Answer:
        catalog = office.desk.catalog()
        names = office.desk.known(modules_named, catalog)
        entries = [entry for entry in catalog.entries if entry.manifest.module in names]
        rows = [_row(office, entry) for entry in entries]
        if remote:
            from dce_play.cli.backup.remote import add_remote  # the targets' library, only when they are asked

            rows = add_remote(office, names, rows)
        left = [_leftover(each) for each in catalog.leftovers if not modules_named or each.module in names]
        return Answer(facts={"backups": rows, "leftovers": left}, lines=_lines(rows, left))

    return office.answer(act)


@click.command("show", cls=Verb)
@click.argument("backup", metavar="BACKUP")
@common_options
def show(backup: str, **options: Any) -> int:
    """Show one backup's manifest, whether it is good, and how its module's backups grew. Changes nothing.

    \b
    Example:
      dce-play backup show uptime-kuma@latest

    Exit codes: 0 told; 5 no such backup.
    """
    office = Office("show", options)

    def act() -> Answer:
        entry = office.desk.entry(backup)
        trend = _trend(office.desk.catalog(), entry)
        facts = {"manifest": entry.manifest, "good": entry.is_good, "trend": trend}
        return Answer(facts=facts, lines=_told(entry, trend))

    return office.answer(act)


def _row(office: Office, entry: Entry) -> ListRow:
    return row_of(
        entry.manifest,
        file=entry.file,
        stored_bytes=entry.stored_bytes,
        good=entry.is_good,
        remote=entry.manifest.remote,
        age=office.desk.now - entry.ended,
    )


def _lines(rows: Sequence[ListRow], left: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Give the lines for people; none is made where nobody asks for them."""
    yield from aligned([_cells(row) for row in rows], right={2, 3, 4})
    yield from aligned([_left_cells(each) for each in left])


def _cells(row: ListRow) -> tuple[str, ...]:
    change = f"{row.change_percent:+.0f} %" if row.change_percent is not None else ""
    state = "good" if row.good else "NOT GOOD"
    marks = ", ".join(
        mark
        for mark in (
            row.purpose if row.purpose != "regular" else "",
            "encrypted" if row.encrypted else "",
            counted(len(row.remote), "copy", "copies") if row.remote else "",
            *row.warnings,
        )
        if mark
    )
    age = show_duration(max(0.0, row.age_s))
    state = f"{state}, level {row.level}"
    return row.file, state, counted(row.bytes, "byte"), change, f"{age} old", row.consistency, marks


def _leftover(leftover: Leftover) -> dict[str, Any]:
    told = {"path": str(leftover.path), "kind": leftover.kind, "age_s": leftover.age_s}
    return told | ({"detail": leftover.detail} if leftover.detail else {})


def _left_cells(left: dict[str, Any]) -> tuple[str, ...]:
    return "leftover", left["kind"], left["path"], f"{show_duration(left['age_s'])} old", left.get("detail", "")


def _trend(catalog: Catalog, entry: Entry) -> list[dict[str, Any]]:
    regular = [each for each in catalog.of(entry.manifest.module) if not each.is_safety]
    return [{"file": each.file, "ended": each.manifest.ended, "bytes": each.stored_bytes} for each in regular[::-1]]


def _told(entry: Entry, trend: list[dict[str, Any]]) -> list[str]:
    manifest = entry.manifest
    engine = f"{manifest.engine.name} {manifest.engine.server_version}".rstrip()
    state = "good" if entry.is_good else "NOT GOOD"
    lines = [
        f"{entry.path}",
        f"  {state}, level {manifest.verification.level}, {manifest.consistency}, {manifest.purpose}",
        f"  module {manifest.module}, class {manifest.class_name}, engine {engine}",
        f"  taken {manifest.started} to {manifest.ended} by {manifest.operator.user} on {manifest.host.name}",
        f"  {counted(manifest.bytes, 'byte')} stored, {manifest.plain_bytes} plain; sha256 {manifest.sha256}",
        f"  holds {', '.join(f'{key} {value}' for key, value in manifest.counts.items())}",
    ]
    lines += [f"  check {each.id}: {'ok' if each.ok else 'FAILED'} {each.at} {each.detail}".rstrip()
              for each in manifest.verification.checks]  # fmt: skip
    lines += [f"  warning {each.id}: {each.message}" for each in manifest.warnings]
    lines += [f"  copy {each.target} {each.key}" for each in manifest.remote]
    lines += [f"  trend {each['ended']} {counted(each['bytes'], 'byte')} {each['file']}" for each in trend]
    return lines
