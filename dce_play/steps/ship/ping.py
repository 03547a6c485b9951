"""Ask the receiver whether it serves this host: network, certificates, token and version gate. Nothing is written."""

from dataclasses import dataclass
from typing import Annotated

from dce_play.plugin import UNKNOWN, Change, Context, Effects, Info, NotAccepted, StepFailed, StepPlan, StepResult, View
from dce_play.system.redact import Masker
from dce_play.transfer.sending.connection.client import Client
from dce_play.transfer.sending.connection.ping import PingResult, ping
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.settings import load_named
from dce_play.transfer.sending.ship_pass import newest_commit

NAME = "ship.ping"
EFFECTS = Effects.REMOTE
REPEATABLE = True
REHEARSABLE = False

_REFUSED = frozenset({"auth", "tls_client_refused"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose receiver to ask."""

    config: Annotated[str, Info(help="The ship.toml; empty: DCE_SHIP_CONFIG, else the system's.")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What it says."""

    ok: Annotated[bool, Info(help="Whether everything is as it should be.")]
    gate_verdict: Annotated[str, Info(help="What the gate says of the newest episode's commit.")]
    head_commit: Annotated[str, Info(help="The newest commit that the gate knows; empty when it tells none.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Read the configuration; ask nobody."""
    config = load_named(params.config, folder=view.folder, environment=view.environment)
    return StepPlan(
        summary=f"would ask {config.url}",
        changes=(Change(what=f"ask {config.url}"),),
        outputs={"ok": UNKNOWN, "gate_verdict": UNKNOWN, "head_commit": UNKNOWN},
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Ask once."""
    config = load_named(params.config, folder=ctx.folder, environment=ctx.environment)
    client = Client(config, environment=ctx.environment, masker=(masker := Masker()))
    try:
        result = ping(client, config, newest_commit(Spool(config)), clock=ctx.clock)
    finally:
        client.close()
    outputs = _outputs(result)
    problem = result.problem
    if problem is None:
        summary = f"{config.url} answered in {result.rtt_ms:g} ms"
        return StepResult(changed=False, summary=summary, outputs=outputs)
    kind = NotAccepted if problem.code in _REFUSED else StepFailed
    raise kind(masker.mask(problem.what), hint=masker.mask("\n".join(problem.fix)), outputs=outputs)


def _outputs(result: PingResult) -> Outputs:
    gate = (result.receiver or {}).get("gate")
    gate = gate if isinstance(gate, dict) else {}
    return Outputs(
        ok=result.ok,
        gate_verdict=str(gate.get("verdict") or "unknown"),
        head_commit=str(gate.get("head_commit") or ""),
    )
