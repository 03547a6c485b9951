"""The plan: a playbook bound to step plugins, includes expanded. A plain tree that never changes.

The engine walks it. For each node: evaluate ``keywords``, then
``PlannedStep``: ``binding.bind_params`` and apply; ``PlannedBlock``: walk ``body``/``rescue``/``always``;
``PlannedCall``: ``binding.bind_call`` gives the child's own scope (``params``, ``vars``; the caller's loop names and
registered names end there), walk ``body``, evaluate ``outputs`` in that scope, register them in the caller's.

A node's runtime id is its parent's runtime id, ``/``, its ``key`` and ``[item]`` inside a loop; ``join_id`` makes it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from dce_play.playbook.language.model import CallKind, Keywords, Lock, ParamSpec, Template
from dce_play.plugin import Effects, StepInfo
from dce_play.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One use of a step plugin."""

    key: str
    """Unique among its siblings, stable while the name or step stays."""
    id: str
    """``caller/key``: unique in the plan, without items."""
    step: str
    plugin: StepInfo
    params: Mapping[str, Template]
    keywords: Keywords
    span: Span
    """Where the step key stands, for errors at run time."""
    folder: Path
    """The folder of the file that it stands in."""
    definition: str
    """Hash of all that was written of it; resume compares it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBlock:
    """Steps under one set of keywords."""

    key: str
    id: str
    keywords: Keywords
    body: "tuple[PlannedNode, ...]"
    span: Span
    definition: str
    """Hash of its own keywords and of everything inside."""
    rescue: "tuple[PlannedNode, ...]" = ()
    always: "tuple[PlannedNode, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """A role or playbook, expanded in place, with a scope of its own."""

    key: str
    id: str
    kind: CallKind
    title: str
    """The child's own name."""
    path: Path
    """The child's file."""
    keywords: Keywords
    """Of the call. ``keywords.vars`` set the child's params; they are evaluated in the caller's scope."""
    params: Mapping[str, ParamSpec]
    """What the child declares."""
    vars: Mapping[str, Template]
    """The child's constants, evaluated in the child's scope."""
    outputs: Mapping[str, Template]
    """What ``register`` gets, evaluated in the child's scope at its end."""
    body: "tuple[PlannedNode, ...]"
    """The child's preflight and steps."""
    span: Span
    definition: str


PlannedNode: TypeAlias = PlannedStep | PlannedBlock | PlannedCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do, in order."""

    path: Path
    name: str
    summary: str
    params: Mapping[str, ParamSpec]
    vars: Mapping[str, Template]
    steps: tuple[PlannedNode, ...]
    preflight: tuple[PlannedNode, ...] = ()
    """Steps without effects that must hold before anything is changed; a failure here exits 4."""
    outputs: Mapping[str, Template] = field(default_factory=dict)
    lock: Lock = Lock.NONE
    """Whether a run may need the archive lock, from the effects of every step."""
    always_locks: bool = False
    """The playbook itself says ``lock: archive``; otherwise the steps that a run can come to decide."""
    effects: frozenset[Effects] = frozenset()
    names: frozenset[str] = frozenset()
    """Built-in names that some expression reads: ``targets``, ``channels``, ``archive_root``, ``env``, ``run``."""
    definition: str = ""
    """Hash of the whole plan."""
    files: Mapping[Path, str] = field(default_factory=dict)
    """Every file it was made from, with its sha256."""
    texts: Mapping[Path, str] = field(default_factory=dict)
    """The text of each of those files, to show lines of."""


def children(node: PlannedNode) -> tuple[PlannedNode, ...]:
    """Return what stands directly inside a node."""
    match node:
        case PlannedStep():
            return ()
        case PlannedBlock():
            return node.body + node.rescue + node.always
        case PlannedCall():
            return node.body


def walk(nodes: tuple[PlannedNode, ...]) -> Iterator[PlannedNode]:
    """Yield every node, a parent before what is inside it."""
    for node in nodes:
        yield node
        yield from walk(children(node))


def all_steps(plan: Plan) -> Iterator[PlannedStep]:
    """Yield every use of a step plugin, preflight first."""
    for node in walk(plan.preflight + plan.steps):
        if isinstance(node, PlannedStep):
            yield node


def join_id(parent: str, key: str, item: str | None = None) -> str:
    """Return a node's runtime id: ``parent/key[item]``."""
    own = key if item is None else f"{key}[{item}]"
    return f"{parent}/{own}" if parent else own
