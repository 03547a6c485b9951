"""Bring one target's archives up to date: export what is new, check it, append it.

Per channel: cursor, export into ``.dce-temp``, checks, append, clean-up. A channel that cannot be read is skipped, one
that fails does not stop the others, a dead token or a full disk stops the run. Whatever happens, a summary is written.
"""

import json
import shlex
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from dce_play.discord.archive.append.append import EditPolicy, GapPolicy, ReaderSafe
from dce_play.discord.exporters.protocol import AuthenticationFailed
from dce_play.discord.media.opened import MediaTools, fetching
from dce_play.discord.media.outcome import MediaOutcome
from dce_play.discord.media.run import MediaRun
from dce_play.discord.media_store.policy import MediaMode
from dce_play.discord.scrape.channels import known_channels
from dce_play.discord.scrape.outcome import ChannelAction, TargetOutcome
from dce_play.discord.scrape.reporting import Reporter, ReportingListener, Subject, warnings_apart
from dce_play.discord.scrape.session import Session
from dce_play.discord.scrape.slugs import summary_path
from dce_play.discord.scrape.summary import marker_line, summary_json, summary_text
from dce_play.discord.scrape.target import Job, ScrapeStopped, known_seeds, scrape_target
from dce_play.discord.scrape.tools import Policies, Tools
from dce_play.discord.scrape.unfinished import read_unfinished
from dce_play.discord.targets.model import OddMessages, Target
from dce_play.discord.targets.usual_file import usual_targets_file
from dce_play.errors import ExitCode
from dce_play.layout import TargetLayout
from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.source import JsonValue
from dce_play.steps.scrape_session import ExporterChoice, session_context
from dce_play.system.clock import utc_stamp
from dce_play.system.counted import counted
from dce_play.system.durable.named_outputs import write_named

NAME = "scrape.run"
EFFECTS = Effects.ARCHIVE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to scrape, and how."""

    target: Annotated[str, Info(help="Name of the target.")]
    exporter: ExporterChoice = ""
    parallel: Annotated[int, Info(help="How many channels at a time.", minimum=1, maximum=16)] = 1
    edits: Annotated[
        Literal["ignore", "sidecar", "rewrite"], Info(help="What becomes of newer copies of stored messages.")
    ] = "sidecar"
    holes: Annotated[
        Literal["merge", "report"], Info(help="What becomes of older messages that the archive lacks.")
    ] = "merge"
    reader_safe: Annotated[
        Literal["auto", "reflink", "rewrite", "off"], Info(help="How readers are kept from seeing an unfinished file.")
    ] = "auto"
    odd_messages: Annotated[
        Literal["", "stop", "raw"],
        Info(help="An unreadable message stops its channel, or is kept as it came (raw); empty: the target's choice."),
    ] = ""
    media: Annotated[
        Literal["", "off", "attachments", "all"], Info(help="Which media are kept, too; empty: the target's choice.")
    ] = ""
    strict: Annotated[
        bool, Info(help="Fail on skipped channels, on exports of unproven completeness and on missing media.")
    ] = False
    stop_at_first_failure: Annotated[bool, Info(help="Try no further channel after one failed.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came of the scrape. ``archive.prove_append`` takes it whole."""

    target: Annotated[str, Info(help="Name of the target.")]
    exported: Annotated[tuple[str, ...], Info(help="Channels whose export finished.")]
    created: Annotated[tuple[str, ...], Info(help="Channels that have a channel file only now.")]
    failed: Annotated[tuple[str, ...], Info(help="Channels that failed or were not tried.")]
    skipped: Annotated[tuple[str, ...], Info(help="Channels that were skipped.")]
    behind: Annotated[tuple[str, ...], Info(help="Channels whose delta waits for a hole to be filled.")]
    unarchived: Annotated[tuple[str, ...], Info(help="Names of the guild's channels that no run archives.")]
    news: Annotated[tuple[str, ...], Info(help="What is new, renamed, forbidden or gone in the guild; told once.")]
    appended: Annotated[int, Info(help="Messages added, salvaged ones included.")]
    media_kept: Annotated[int, Info(help="Media that were fetched.")]
    media_missing: Annotated[int, Info(help="Media that this run found to be gone, or could not fetch.")]
    summary_file: Annotated[str, Info(help="The run summary, JSON version 1.")]


class TokenRefused(StepFailed):
    """Discord does not accept the token, and there is no other."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUTHENTICATION


def plan(params: Params, view: View, /) -> StepPlan:
    """Tell which channels would be asked for, as far as that is known without asking."""
    target = view.chosen_targets(params.target)[0]
    unfinished = read_unfinished(TargetLayout(target.output_dir))
    choice = known_channels(
        target, channel_files=known_seeds(target), unfinished=unfinished, only=view.selection.channels
    )
    if choice is None:
        return StepPlan(
            summary="would list the target's channels and export what is new",
            changes=(Change(what=f"scrape target {target.name}", path=target.output_dir),),
            outputs={"target": target.name},
        )
    changes = tuple(
        Change(what=f"export what is new of channel {each.channel_id}", path=target.output_dir)
        for each in choice.channels
    )
    return StepPlan(
        summary=f"would export {counted(len(changes), 'channel')}", changes=changes, outputs={"target": target.name}
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Scrape, and write the summary however it ends."""
    target = ctx.chosen_targets(params.target)[0]
    started = utc_stamp(ctx.clock.now())
    summary_file = _summary_file(target, ctx)
    outcome = TargetOutcome(target=target.name, channels=())
    media = MediaOutcome()
    try:
        outcome = _scrape(target, params, ctx, media)
    except ScrapeStopped as stopped:
        outcome = stopped.outcome
        failure = TokenRefused if isinstance(stopped.cause, AuthenticationFailed) else StepFailed
        raise failure(str(stopped), hint=stopped.hint, outputs=_outputs(outcome, summary_file, media)) from stopped
    finally:
        _leave_summary(outcome, summary_file, ctx, started)
    outputs = _outputs(outcome, summary_file, media)
    _check(outcome, params, outputs)
    ctx.reporter.note(f"Target '{target.name}': scrape completed successfully.")
    summary = f"+{counted(outcome.appended, 'message')} in {counted(len(outcome.channels), 'channel')}"
    if media.missing:
        summary += f"; ! {media.missing} media missing"
    if outcome.unarchived:
        summary += f"; {counted(len(outcome.unarchived), 'channel is', 'channels are')} not archived"
    if outcome.news:
        summary += f"; ! {counted(len(outcome.news), 'change')} in the guild"
    return StepResult(changed=outcome.changed, summary=summary, outputs=outputs)


def _scrape(target: Target, params: Params, ctx: Context, media: MediaOutcome) -> TargetOutcome:
    if params.media:
        target = replace(target, media=replace(target.media, mode=MediaMode(params.media)))
    try:
        with fetching(target, _media_tools(ctx), media) if target.media.on else nullcontext() as run:
            return _scrape_channels(target, params, ctx, run)
    finally:
        for line in media.lines(target.name):
            ctx.reporter.say(line)


def _scrape_channels(target: Target, params: Params, ctx: Context, media: MediaRun | None) -> TargetOutcome:
    job = Job(
        target=target,
        only=ctx.selection.channels,
        guilds=ctx.selection.guilds,
        parallel=params.parallel,
        stop_at_first_failure=params.stop_at_first_failure,
    )
    with Session(target, params.exporter, session_context(ctx)) as session:
        tools = Tools(
            exporter=session.exporter,
            clock=ctx.clock,
            run_id=ctx.run_id,
            environment=ctx.environment,
            listener=_listener(target, ctx),
            cancelled=ctx.cancelled,
            policies=_policies(params, target),
            lock_fds=ctx.lock_fds,
            media=media,
        )
        return scrape_target(job, tools, refresh=session.refresh)


def _listener(target: Target, ctx: Context) -> ReportingListener:
    told = ctx.reporter
    reporter = Reporter(say=told.say, note=told.note, progress=told.progress, item=told.item)
    targets = ctx.targets_file
    words = ["dce-play", "targets", "discover", "--new"]
    if targets.path.absolute() != usual_targets_file(ctx.folder):
        words += ["--config", str(targets.path.absolute())]
    return ReportingListener(
        reporter,
        Subject(
            target=target.name,
            archive_root=targets.archive_root,
            discover=shlex.join(words),
            folder=ctx.folder,
            monotonic=ctx.clock.monotonic,
        ),
    )


def _media_tools(ctx: Context) -> MediaTools:
    return MediaTools(
        environment=ctx.environment,
        folder=ctx.folder,
        clock=ctx.clock,
        run_id=ctx.run_id,
        note=warnings_apart(ctx.reporter.say, ctx.reporter.note),
        protect=ctx.secrets.protect,
        cancelled=ctx.cancelled,
    )


def _check(outcome: TargetOutcome, params: Params, outputs: Outputs) -> None:
    failed = outcome.count(ChannelAction.FAILED)
    skipped = outcome.count(ChannelAction.SKIPPED, ChannelAction.SKIPPED_OOM)
    unproven = sum(channel.unproven for channel in outcome.channels)
    unfinished = sum(channel.unfinished for channel in outcome.channels)
    reasons = [f"{failed} failed"] if failed else []
    reasons += [f"{unfinished} unfinished"] if unfinished else []
    if params.strict:
        reasons += [f"{skipped} skipped"] if skipped else []
        reasons += [f"{unproven} of unproven completeness"] if unproven else []
        reasons += [f"{outputs.media_missing} media missing"] if outputs.media_missing else []
    if not reasons:
        return
    first = next((each for each in outcome.channels if each.action is ChannelAction.FAILED or each.unfinished), None)
    detail = f"; first: channel {first.channel_id}: {first.reason}" if first else ""
    raise StepFailed(
        f"target {outcome.target!r}: of {counted(len(outcome.channels), 'channel')} {', '.join(reasons)}{detail}",
        hint=f"dce-play summary {outputs.summary_file}",
        outputs=outputs,
    )


def _policies(params: Params, target: Target) -> Policies:
    return Policies(
        edits=EditPolicy(params.edits),
        holes=GapPolicy(params.holes),
        reader_safe=ReaderSafe(params.reader_safe),
        stop_at_odd=(params.odd_messages or target.odd_messages) == OddMessages.STOP,
        format=target.format,
        raw=target.raw,
    )


def _outputs(outcome: TargetOutcome, path: Path, media: MediaOutcome) -> Outputs:
    def ids(*actions: ChannelAction) -> tuple[str, ...]:
        return tuple(channel.channel_id for channel in outcome.channels if channel.action in actions)

    return Outputs(
        target=outcome.target,
        exported=outcome.exported,
        created=ids(ChannelAction.CREATED),
        failed=ids(ChannelAction.FAILED, ChannelAction.NOT_TRIED),
        skipped=ids(ChannelAction.SKIPPED, ChannelAction.SKIPPED_OOM),
        behind=tuple(channel.channel_id for channel in outcome.channels if channel.behind),
        unarchived=outcome.unarchived,
        news=outcome.news,
        appended=outcome.appended,
        media_kept=media.kept,
        media_missing=media.missing,
        summary_file=str(path),
    )


def _leave_summary(outcome: TargetOutcome, path: Path, ctx: Context, started: str) -> None:
    facts: dict[str, JsonValue] = {"target": outcome.target}
    if ctx.targets is not None:
        facts |= {"config": str(ctx.targets.path.absolute()), "config_sha256": ctx.targets.sha256}
    summary = summary_json(
        outcome.channels, run_id=ctx.run_id, started_at=started, finished_at=utc_stamp(ctx.clock.now()), facts=facts
    )
    for line in summary_text(outcome.channels):
        ctx.reporter.note(line)
    data = (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode()
    write_named(path, data, what="the summary", make_folder=True)
    ctx.reporter.note(f"JSON summary file: {path}")
    if ctx.environment.get("DCE_RUN_SUMMARY_JSON") == "1":
        ctx.reporter.note(marker_line(summary))


def _summary_file(target: Target, ctx: Context) -> Path:
    among = ctx.selection.targets or (target.name,)
    return summary_path(
        target.name, among=among, run_folder=ctx.run_folder, environment=ctx.environment, folder=ctx.folder
    )
