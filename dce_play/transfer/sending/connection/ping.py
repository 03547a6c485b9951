"""Asking the receiver how it is and what it thinks of us. Writes nothing, here or there."""

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from dce_play.system.clock import Clock
from dce_play.transfer.sending.connection.answer import Answer, NoAnswer
from dce_play.transfer.sending.connection.client import Client
from dce_play.transfer.sending.connection.tls_files import client_certificate
from dce_play.transfer.sending.own_commands import with_config
from dce_play.transfer.sending.settings import ShipConfig

_GATE_REFUSES = frozenset({"not_in_window", "malformed"})
_GATE_TAKES = frozenset({"in_window", "off"})


class PingProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong. ``code`` is one of the contract's; ``fix`` can be pasted."""

    code: str
    what: str
    fix: list[str] = []


class PingResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the command shows as JSON."""

    ok: bool
    rtt_ms: float
    problem: PingProblem | None
    receiver: dict[str, Any] | None
    """The answer's body."""


def ask_ping(client: Client, config: ShipConfig, commit: str | None) -> Answer:
    """Ask once, with the commit when there is one."""
    headers: Mapping[str, str] = {} if commit is None else {config.commit_header: commit}
    return client.ask("POST", "/v1/ping", headers=headers)


def gate_takes(answer: Answer) -> bool:
    """Return whether a ping's answer says that episodes of its commit are accepted."""
    gate = _gate(answer.json)
    return answer.status == 200 and gate.get("verdict") in _GATE_TAKES


def is_answered(answer: Answer) -> bool:
    """Return whether the receiver serves us again: any answer but a refusal of us, of everybody, or a failure."""
    return answer.status not in {0, 401, 403, 429} and answer.status < 500


def ping(client: Client, config: ShipConfig, commit: str | None, *, clock: Clock) -> PingResult:
    """Ask, and judge the answer."""
    began = clock.monotonic()
    answer = ask_ping(client, config, commit)
    if answer.missing is NoAnswer.DISCONNECTED:
        # Once more: a receiver that is just being restarted cuts connections too.
        answer = ask_ping(client, config, commit)
    rtt_ms = round(1000 * (clock.monotonic() - began), 1)
    body = answer.json if answer.status == 200 and isinstance(answer.json, dict) else None
    problem = _missing(answer, config) if answer.missing is not None else _judge(answer, config)
    return PingResult(ok=problem is None, rtt_ms=rtt_ms, problem=problem, receiver=body)


def _missing(answer: Answer, config: ShipConfig) -> PingProblem:
    host = config.url
    if answer.missing is NoAnswer.TLS and "certificate verify failed" in answer.detail.lower():
        what = f"{host} shows a certificate that we do not trust: {answer.detail}"
        fix = [f"openssl verify -CAfile {config.ca} SERVER.pem"] if config.ca else ["set receiver.ca in ship.toml"]
        return PingProblem(code="tls_server_untrusted", what=what, fix=fix)
    if host.startswith("https:") and (_is_alert(answer) or answer.missing in {NoAnswer.DISCONNECTED, NoAnswer.RESET}):
        return _client_refused(answer, config)
    what = f"{host} is not reached ({answer.missing}): {answer.detail}"
    return PingProblem(code="unreachable", what=what, fix=[_curl(config)])


def _curl(config: ShipConfig) -> str:
    """Return what asks the same over the same TLS, but without the token: 401 is then the healthy answer."""
    files = (("--cacert", config.ca), ("--cert", config.cert), ("--key", config.key))
    words = [word for name, path in files if path is not None for word in (name, str(path))]
    return shlex.join(["curl", "-sv", "--max-time", "10", *words, "-X", "POST", f"{config.url}/v1/ping"])


def _is_alert(answer: Answer) -> bool:
    return answer.missing is NoAnswer.TLS and "alert" in answer.detail.lower()


def _client_refused(answer: Answer, config: ShipConfig) -> PingProblem:
    # In TLS 1.3 the server judges our certificate after the handshake, and a refusal is a connection that ends.
    shown = client_certificate(config.cert) if config.cert else None
    if config.cert is None:
        what = "the receiver wants a client certificate, and ship.toml names none"
        fix = ["set receiver.cert and receiver.key in ship.toml"]
    elif shown is None:
        what = f"the receiver refuses our certificate {config.cert}, which cannot be read"
        fix = [f"openssl x509 -noout -subject -enddate -in {config.cert}"]
    else:
        end = shown.not_after.strftime("%Y-%m-%dT%H:%M:%SZ")
        what = f"the receiver refuses our certificate {shown.path} (subject {shown.subject}, valid until {end})"
        fix = [f"openssl x509 -noout -subject -issuer -enddate -in {shown.path}"]
    return PingProblem(code="tls_client_refused", what=f"{what}: {answer.detail}", fix=fix)


def _judge(answer: Answer, config: ShipConfig) -> PingProblem | None:
    problem = answer.problem or {}
    detail = str(problem.get("detail") or problem.get("title") or f"it answered {answer.status}")
    if answer.status in {401, 403}:
        what = f"{config.url} does not accept our token: {detail}"
        return PingProblem(code="auth", what=what, fix=[_cure_of_auth(answer, config)])
    if answer.status == 503 and answer.code == "gate_unknown":
        return PingProblem(code="gate_unknown", what=detail, fix=with_config(answer.fix, config.option))
    if answer.status != 200 or not isinstance(answer.json, dict):
        what = f"{config.url} is no receiver that serves us: {detail}"
        return PingProblem(code="http", what=what, fix=with_config(answer.fix, config.option) or [_curl(config)])
    gate = _gate(answer.json)
    verdict = gate.get("verdict")
    lines = gate.get("fix")
    told = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    fix = with_config(told, config.option)
    if verdict in _GATE_REFUSES:
        what = f"commit {gate.get('your_commit')} is refused ({verdict}); the newest is {gate.get('head_commit')}"
        return PingProblem(code="gate", what=what, fix=fix)
    if verdict == "unknown" or gate.get("state") == "unknown":
        return PingProblem(code="gate_unknown", what="the receiver does not know now which commits it accepts", fix=fix)
    return None


def _cure_of_auth(answer: Answer, config: ShipConfig) -> str:
    """Return what to type. The answer's own lines are for who was refused while sending: they say "ping"."""
    if answer.code == "host_mismatch" and config.cert is not None:
        return f"openssl x509 -noout -subject -ext subjectAltName -in {shlex.quote(str(config.cert))}"
    return f"dce-play receive token add {config.host_id}   # at the receiver, for receiver.token = {config.token}"


def _gate(body: Any) -> dict[str, Any]:
    gate = body.get("gate") if isinstance(body, dict) else None
    return gate if isinstance(gate, dict) else {}
