"""Carrying out an append that has been looked through: edits kept, bytes written, the record renewed."""

import uuid
from collections.abc import Iterable
from dataclasses import replace

from dce_play.discord.archive.append.delta import Selected
from dce_play.discord.archive.append.in_place import append_in_place, append_to_clone
from dce_play.discord.archive.append.job import AppendOutcome, Job
from dce_play.discord.archive.append.payload import Payload, build_payload
from dce_play.discord.archive.append.rewrite import plan_rewrite, write_rewrite
from dce_play.discord.archive.records.cursor import remember
from dce_play.discord.archive.records.edits import Edit, EditPolicy, add_edits
from dce_play.discord.archive.records.journal import AppendJournal, anchor_of, relative_to_target
from dce_play.discord.archive.records.publish import check_space
from dce_play.discord.archive.records.reader_safe import ReaderSafe
from dce_play.discord.archive.records.records import AppendLine, add_append_line
from dce_play.discord.archive.records.recover import line_of
from dce_play.discord.archive.records.write_errors import CannotClone
from dce_play.discord.archive.scan.channel_bytes import open_bytes
from dce_play.discord.archive.scan.tail import read_tail
from dce_play.layout import TargetLayout
from dce_play.snowflake import MessageId
from dce_play.system.clock import Clock, utc_stamp
from dce_play.system.durable.disk import Disk


def carry_out(job: Job, *, layout: TargetLayout, clock: Clock, disk: Disk) -> AppendOutcome:
    """Do what the job found to be done, durably, and return what came of it.

    Raises: NotEnoughSpace, WriteFailed, WouldLose, OSError.
    """
    time = utc_stamp(clock.now())
    outcome = job.outcome()
    if job.options.edits is EditPolicy.SIDECAR:
        _keep_edits(job, _newer_copies(job), time=time, layout=layout, disk=disk)
    if job.must_rewrite:
        outcome = replace(outcome, after_count=_rewrite(job, time=time, layout=layout, disk=disk))
    elif job.selection.new is not None:
        _append(job, job.selection.new, time=time, layout=layout, disk=disk)
    elif job.cursor.recorded:
        return outcome
    facts = disk.facts_of(job.archive)
    if facts is not None:
        after = replace(
            job.cursor,
            last_id=outcome.last_id,
            message_count=outcome.after_count,
            size_bytes=facts.size_bytes,
            ordered=job.must_rewrite or job.cursor.ordered,
        )
        remember(job.archive, after, layout=layout, disk=disk)
    return outcome


def _append(job: Job, selected: Selected, *, time: str, layout: TargetLayout, disk: Disk) -> None:
    after = job.cursor.message_count + selected.count
    payload = build_payload(job.deltas, selected.pieces, job.tail, message_count=after)
    journal = _journal(job, selected, payload, time=time, layout=layout)
    payload_bytes = journal.new_size_bytes - journal.cut
    way = job.options.reader_safe
    if way is not ReaderSafe.OFF:
        whole = job.cursor.size_bytes if way is ReaderSafe.REWRITE else 0
        check_space(job.archive.parent, whole + payload_bytes, disk=disk)
        try:
            append_to_clone(job.channel, journal, payload, copy=way is ReaderSafe.REWRITE, disk=disk)
        except CannotClone:
            if way is ReaderSafe.REFLINK:
                raise
        else:
            add_append_line(layout, line_of(journal), disk=disk)
            return
    check_space(job.archive.parent, payload_bytes, disk=disk)
    append_in_place(layout, job.channel, journal, payload, disk=disk)


def _journal(job: Job, selected: Selected, payload: Payload, *, time: str, layout: TargetLayout) -> AppendJournal:
    size_bytes, digest = payload.measure()
    facts = job.channel.facts()
    return AppendJournal(
        append_id=uuid.uuid4().hex,
        archive=relative_to_target(job.archive, layout),
        channel_id=job.head.channel_id,
        device=facts.device,
        inode=facts.inode,
        size_bytes=job.cursor.size_bytes,
        cut=job.tail.cut,
        old_tail=job.tail.old,
        anchor=anchor_of(job.channel, job.tail.cut),
        new_size_bytes=job.tail.cut + size_bytes,
        cut_after=job.tail.cut + size_bytes - len(payload.closing),
        payload_sha256=digest,
        count_before=job.cursor.message_count,
        count=selected.count,
        first_id=selected.first_id,
        last_id=selected.last_id,
        run_id=job.options.run_id,
        started=time,
        exporter=job.options.exporter,
        exporter_version=job.options.exporter_version,
        exported_at=job.exported_at,
    )


def _rewrite(job: Job, *, time: str, layout: TargetLayout, disk: Disk) -> int:
    """Write the file anew and return its message count."""
    rewrite = plan_rewrite(job.channel, job.head, job.tail, deltas=job.deltas, taken=job.taken)
    _keep_edits(job, rewrite.superseded, time=time, layout=layout, disk=disk)
    write_rewrite(job.archive, rewrite, disk=disk)
    copies = [*job.classification.missing, *(copy for copy in job.classification.edited if copy.id in job.taken)]
    with open_bytes(job.archive, disk=disk) as channel:
        cut = read_tail(channel).cut
    line = AppendLine(
        kind="rewritten",
        append_id=uuid.uuid4().hex,
        time=time,
        run_id=job.options.run_id,
        channel_id=job.head.channel_id,
        first_id=_id(min(copy.id for copy in copies)),
        last_id=job.outcome().last_id,
        count=rewrite.message_count - job.cursor.message_count,
        message_count=rewrite.message_count,
        cut_before=job.tail.cut,
        cut_after=cut,
        exporter=job.options.exporter,
        exporter_version=job.options.exporter_version,
        exported_at=job.exported_at,
    )
    add_append_line(layout, line, disk=disk)
    return rewrite.message_count


def _newer_copies(job: Job) -> Iterable[Edit]:
    for copy in job.classification.edited:
        delta = job.deltas[copy.delta]
        message = delta.message(copy.place)
        yield Edit(message_id=_id(copy.id), message=message, exported_at=delta.head.exported_at)


def _keep_edits(job: Job, edits: Iterable[Edit], *, time: str, layout: TargetLayout, disk: Disk) -> None:
    add_edits(layout, job.head.channel_id, list(edits), run_id=job.options.run_id, time=time, disk=disk)


def _id(identifier: int) -> MessageId:
    return MessageId(str(identifier))
