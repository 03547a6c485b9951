"""What the run of one item is given, and what it gives back. Both travel as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from dce_play.errors import DcePlayError, ExitCode
from dce_play.events import ErrorFacts, Status
from dce_play.playbook.plan.plan import join_id
from dce_play.playbook.types.values import registered
from dce_play.runner.cancel import Reason
from dce_play.runner.fan_out.travel import from_wire, to_wire
from dce_play.runner.node_result import Failure, NodeResult, foreseen
from dce_play.source import JsonValue
from dce_play.system.counted import counted

MAX_RESULT_BYTES = 1 << 20
"""What one item may give back, as JSON."""


class ResultTooLarge(DcePlayError):
    """An item gives more than may travel."""

    exit_code = ExitCode.FAILED

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"its outputs have {counted(size_bytes, 'byte')}, "
            f"and an item of a loop with fan_out gives at most {MAX_RESULT_BYTES}",
            hint="write them to a file and hand on its name",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemOrder:
    """One item of one loop, for whoever runs it. The plan and the run's settings are known there."""

    run_id: str
    """The child run's id."""
    session: str
    """Which start of the parent asks: what an item did under the same one is not done again."""
    resuming: bool = False
    """Whether the parent goes on after an earlier end."""
    fresh: bool = False
    """Whether nothing that was done in an earlier session counts."""
    node: str
    """The loop's id in the plan."""
    path: str
    """The runtime id of what stands around the loop."""
    depth: int
    key: str
    item: JsonValue
    names: Mapping[str, JsonValue] = field(default_factory=dict)
    """``params``, ``vars``, registered names and outer loops' names; those that are the run's own are not in it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What ``environment:`` around the loop sets."""
    asked: tuple[str, ...] = ()
    silent: bool = False
    host: str = ""
    """The only host that may run it; empty for any."""
    home: str = ""
    """The state folder, by machine and path, in which alone its run may be kept; empty for that of whoever runs it."""

    @property
    def id(self) -> str:
        """Return the item's runtime id, as events call it."""
        return join_id(self.path, self.node.rpartition("/")[2], self.key)

    def to_json(self) -> dict[str, JsonValue]:
        """Return it as a JSON object."""
        return {
            "run_id": self.run_id,
            "session": self.session,
            "resuming": self.resuming,
            "fresh": self.fresh,
            "node": self.node,
            "path": self.path,
            "depth": self.depth,
            "key": self.key,
            "item": self.item,
            "names": dict(self.names),
            "environment": dict(self.environment),
            "asked": list(self.asked),
            "silent": self.silent,
            "host": self.host,
            "home": self.home,
        }

    @classmethod
    def from_json(cls, given: Mapping[str, JsonValue], /) -> Self:
        """Return what ``to_json`` told."""
        names, environment, asked = given["names"], given["environment"], given["asked"]
        return cls(
            run_id=str(given["run_id"]),
            session=str(given["session"]),
            resuming=given["resuming"] is True,
            fresh=given["fresh"] is True,
            node=str(given["node"]),
            path=str(given["path"]),
            depth=int(str(given["depth"])),
            key=str(given["key"]),
            item=given["item"],
            names=names if isinstance(names, dict) else {},
            environment={k: str(v) for k, v in environment.items()} if isinstance(environment, dict) else {},
            asked=tuple(str(each) for each in asked) if isinstance(asked, list) else (),
            silent=given["silent"] is True,
            host=str(given["host"]),
            home=str(given["home"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """How an item ended, as its loop must know it; its events have told the rest."""

    ended: NodeResult
    failures: tuple[Failure, ...] = ()
    """What failed inside and was passed over."""
    diverged: bool = False
    """Whether a step that had ended well before ran again and changed."""

    @property
    def good(self) -> bool:
        """Return whether nothing failed, so that no later start has anything to do."""
        return self.ended.failure is None and not self.failures

    def to_json(self) -> dict[str, JsonValue]:
        """Return it as a JSON object."""
        ended = self.ended
        return {
            "status": str(ended.status),
            "summary": ended.summary,
            "value": to_wire(ended.value),
            "failure": failure_json(ended.failure) if ended.failure is not None else None,
            "tolerated": ended.tolerated,
            "failures": [failure_json(each) for each in self.failures],
            "diverged": self.diverged,
        }

    @classmethod
    def from_json(cls, given: Mapping[str, JsonValue], /) -> Self:
        """Return what ``to_json`` told."""
        failure, failures = given["failure"], given["failures"]
        ended = NodeResult(
            status=Status(str(given["status"])),
            summary=str(given["summary"]),
            value=from_wire(given["value"]),
            failure=failure_from(failure) if isinstance(failure, dict) else None,
            tolerated=given["tolerated"] is True,
        )
        inner = (
            [failure_from(each) for each in failures if isinstance(each, dict)] if isinstance(failures, list) else []
        )
        return cls(ended=ended, failures=tuple(inner), diverged=given["diverged"] is True)


def failed_item(failure: Failure, /) -> ItemResult:
    """Return the result of an item that failed and gave nothing."""
    summary = failure.facts.message
    value = registered(None, status=Status.FAILED, changed=False, summary=summary)
    return ItemResult(ended=NodeResult(status=Status.FAILED, summary=summary, value=value, failure=failure))


def bounded(ended: NodeResult, where: str, item: str | None, /) -> NodeResult:
    """Return how a node ended; the item that this run is of has failed when it gives more than may travel."""
    if where != item or ended.failure is not None:
        return ended
    size_bytes = _bytes_of(ended.value)
    if size_bytes <= MAX_RESULT_BYTES:
        return ended
    return failed_item(foreseen(ResultTooLarge(size_bytes), where)).ended


def _bytes_of(value: object) -> int:
    return len(json.dumps(to_wire(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def failure_json(failure: Failure, /) -> dict[str, JsonValue]:
    """Return a failure as a JSON object."""
    facts = failure.facts
    return {
        "kind": facts.kind,
        "message": facts.message,
        "hint": facts.hint,
        "exit_code": int(failure.exit_code),
        "stops": failure.stops.name if failure.stops is not None else None,
        "where": failure.where,
    }


def failure_from(given: Mapping[str, JsonValue], /) -> Failure:
    """Return the failure that ``failure_json`` told."""
    stops = given["stops"]
    facts = ErrorFacts(kind=str(given["kind"]), message=str(given["message"]), hint=str(given["hint"]))
    return Failure(
        facts=facts,
        exit_code=ExitCode(int(str(given["exit_code"]))),
        stops=Reason[stops] if isinstance(stops, str) else None,
        where=str(given["where"]),
    )
