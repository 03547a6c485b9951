"""Prove that a target's archives only grew since a snapshot: no byte before the old end changed, nothing is lost.

Fails when something is violated, and also when nothing was exported, as then there is nothing to prove.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from dce_play.discord.archive.proof.compare import Comparison
from dce_play.discord.archive.proof.fingerprint_store import store_for
from dce_play.discord.archive.proof.prove import Proof, ProofRules, Verdict, prove_append
from dce_play.discord.archive.proof.snapshot import load_snapshot
from dce_play.errors import UsageError
from dce_play.facts import ItemFacts
from dce_play.plugin import Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.snowflake import ChannelId
from dce_play.source import JsonValue
from dce_play.system.counted import counted

NAME = "archive.prove_append"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to compare, and what to put up with."""

    since: Annotated[Path, Info(help="The snapshot.", example="{{ before.snapshot }}")]
    target: Annotated[str, Info(help="Name of the target; empty: all targets of the run.")] = ""
    scrape: Annotated[
        dict[str, JsonValue] | None, Info(help="What scrape.run returned; without it the files alone decide.")
    ] = None
    new_channels: Annotated[
        Literal["exported", "allow", "refuse"],
        Info(help="Which channels may have their first file: those the scrape exported, any, or none."),
    ] = "exported"
    edits: Annotated[
        Literal["refuse", "accept"], Info(help="Whether old messages may have been replaced by newer copies.")
    ] = "refuse"
    deep: Annotated[bool, Info(help="Read files that look unchanged, too.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The verdict and what it rests on."""

    verdict: Annotated[Literal["passed", "failed", "inconclusive"], Info(help="The verdict.")]
    grown: Annotated[int, Info(help="Channel files that grew.")]
    unchanged: Annotated[int, Info(help="Channel files that did not.")]
    appended: Annotated[int, Info(help="Messages that came in.")]
    failures: Annotated[
        tuple[dict[str, JsonValue], ...], Info(help="One mapping a violation: path, channel_id, state, detail.")
    ]


def plan(params: Params, view: View, /) -> StepPlan:
    """Tell what would be compared."""
    names = ", ".join(target.name for target in view.chosen_targets(*_names(params)))
    return StepPlan(summary=f"would compare the archives of {names} with {params.since}")


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Compare."""
    targets = ctx.chosen_targets(*_names(params))
    snapshot = load_snapshot(params.since)
    proof = prove_append(
        snapshot,
        snapshot.root,
        folders=[target.output_dir for target in targets],
        rules=_rules(params, ctx),
        store=store_for(snapshot.root, ctx.environment),
        on_progress=ctx.reporter.progress,
    )
    names = ", ".join(target.name for target in targets)
    for line in proof.lines():
        if line.startswith(("OK", "NEW")):
            ctx.reporter.note(line)
        else:
            ctx.reporter.say(line)
    outputs = _outputs(proof)
    match proof.verdict:
        case Verdict.FAILED:
            raise StepFailed(
                f"target {names}: {counted(len(proof.failures), 'archive integrity check')} failed",
                hint="the lines marked FAIL say which files and why; nothing was changed by the proof",
                outputs=outputs,
            )
        case Verdict.INCONCLUSIVE:
            raise StepFailed(
                f"target {names}: the proof is inconclusive, as nothing was exported",
                hint="see why the scrape exported no channel, and run it again",
                outputs=outputs,
            )
        case Verdict.PASSED:
            _tell_passed(names, ctx)
    return StepResult(
        changed=False,
        summary=f"proved: {proof.grown} grew, {proof.unchanged} unchanged, nothing lost",
        outputs=outputs,
    )


def _rules(params: Params, ctx: Context) -> ProofRules:
    exported = None if params.scrape is None else _ids(params.scrape.get("exported"))
    allowed: dict[str, tuple[ChannelId, ...] | None] = {"exported": exported or (), "allow": None, "refuse": ()}
    return ProofRules(
        channels=ctx.selection.channels,
        exported=exported,
        new_channels=allowed[params.new_channels],
        accept_edits=params.edits == "accept",
        deep=params.deep,
    )


def _ids(value: JsonValue) -> tuple[ChannelId, ...]:
    if not isinstance(value, list):
        raise UsageError("scrape names no exported channels", hint="give it what scrape.run registered")
    return tuple(ChannelId(str(channel)) for channel in value)


def _tell_passed(names: str, ctx: Context) -> None:
    if ctx.selection.channels:
        ctx.reporter.note(f"Channel-scoped proof for {len(ctx.selection.channels)} channel(s).")
    ctx.reporter.note("Snapshot comparison passed.")
    ctx.reporter.note(f"Append-safe proof passed for target {names}.")
    ctx.reporter.item(names, "proved", "", ItemFacts(kind="target", name=names, recap="proved", counts=False))


def _outputs(proof: Proof) -> Outputs:
    return Outputs(
        verdict=proof.verdict.value,
        grown=proof.grown,
        unchanged=proof.unchanged,
        appended=proof.appended,
        failures=tuple(_plain(failure) for failure in proof.failures),
    )


def _plain(failure: Comparison) -> dict[str, JsonValue]:
    return {
        "path": str(failure.path),
        "channel_id": failure.channel_id,
        "state": failure.state.value,
        "detail": failure.detail,
    }


def _names(params: Params) -> tuple[str, ...]:
    return (params.target,) if params.target else ()
