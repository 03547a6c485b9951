"""A playbook as its author wrote it, checked: params, steps and keywords, each with its place.

``parse`` makes these from a ``Document``; ``planning`` binds them to step plugins and gives a ``Plan``.
A value that may hold ``{{ }}`` is a ``Template``; ``expressions.evaluate`` turns it into a plain value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from dce_play.source import JsonValue, Span


@dataclass(frozen=True, slots=True)
class Literal:
    """A value without any expression in it, however deep."""

    value: JsonValue
    span: Span


@dataclass(frozen=True, slots=True)
class Expression:
    """The text of one expression, without braces and outer blanks, and where exactly it stands."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Text:
    """Text with expressions inside: always evaluates to a string."""

    parts: "tuple[str | Expression, ...]"
    span: Span


@dataclass(frozen=True, slots=True)
class Items:
    """A list with at least one expression somewhere in it."""

    items: "tuple[Template, ...]"
    span: Span


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping with at least one expression somewhere in it. Keys are never expressions."""

    fields: "Mapping[str, Template]"
    span: Span


Template: TypeAlias = Literal | Expression | Text | Items | Fields


class ParamType(StrEnum):
    """The types that a playbook's or role's param can have."""

    STR = "str"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    CHOICE = "choice"
    LIST = "list"
    PATH = "path"
    DURATION = "duration"
    """In expressions a number of seconds."""
    SIZE = "size"
    """In expressions a number of bytes."""
    SNOWFLAKE = "snowflake"
    """In expressions a string."""
    SECRET = "secret"  # noqa: S105 - a type's name
    """In expressions a ``SecretReference``, which can only be handed on whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamSpec:
    """One declared param of a playbook or role."""

    name: str
    type: ParamType
    span: Span
    """Where its name stands."""
    required: bool = False
    default: JsonValue = None
    help: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    minimum: float | None = None
    maximum: float | None = None
    env: str = ""
    """The environment variable that sets it; empty for none."""
    conflicts: tuple[str, ...] = ()


class OnError(StrEnum):
    """What a failure of this step, or of one item of its loop, does to what comes after."""

    STOP = "stop"
    CONTINUE = "continue"
    """Go on with the next item or step; the run still ends as failed."""


class Lock(StrEnum):
    """What a playbook says of the archive lock."""

    ARCHIVE = "archive"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """Everything that may stand beside a step, block, role or playbook key.

    They take effect in this order: ``when``, once; ``loop``, and the rest for each item: ``until``/``retries``/
    ``delay``/``timeout``, then ``rescue``/``always``/``on_error``.
    """

    name: Template | None = None
    when: tuple[Expression, ...] = ()
    """All must hold. Asked before the loop, so it cannot read the loop's name."""
    register: str | None = None
    vars: Mapping[str, Template] = field(default_factory=dict)
    """Added to ``vars`` for this step or block."""
    tags: tuple[str, ...] = ()
    """Own tags and those of everything around it, sorted."""
    loop: Template | None = None
    loop_name: str = "item"
    """The name that ``as`` gives to the loop's item."""
    fan_out: bool = False
    """Whether the loop's items are runs of their own, which may run at once."""
    on_error: OnError | Template = OnError.STOP
    """A template gives one of the two, for each item."""
    until: tuple[Expression, ...] = ()
    """Try again until all hold; empty means: until it does not fail."""
    retries: Template | None = None
    """A whole number of further tries."""
    delay: Template | None = None
    """A duration between tries."""
    timeout: Template | None = None
    """A duration for one try, or for a whole block."""
    changed_when: tuple[Expression, ...] | None = None
    failed_when: tuple[Expression, ...] | None = None
    no_log: bool = False
    environment: Mapping[str, Template] = field(default_factory=dict)
    confirm: Template | None = None
    """The question to ask before going on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """One use of a step plugin."""

    step: str
    params: Mapping[str, Template]
    keywords: Keywords
    span: Span
    """Where the step key stands."""
    keyword_spans: Mapping[str, Span]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Steps under one set of keywords."""

    body: "tuple[Statement, ...]"
    keywords: Keywords
    span: Span
    keyword_spans: Mapping[str, Span]
    rescue: "tuple[Statement, ...]" = ()
    always: "tuple[Statement, ...]" = ()


class CallKind(StrEnum):
    """What is included."""

    ROLE = "role"
    PLAYBOOK = "playbook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """A static use of a role or of another playbook. ``keywords.vars`` set its params."""

    kind: CallKind
    target: str
    """The role's name or the playbook's file, as written."""
    keywords: Keywords
    span: Span
    """Where the ``role`` or ``playbook`` key stands."""
    target_span: Span
    keyword_spans: Mapping[str, Span]
    var_spans: Mapping[str, Span] = field(default_factory=dict)
    """Where the name of each of ``keywords.vars`` stands."""


Statement: TypeAlias = StepCall | Block | Include


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """One playbook or role file, parsed. Includes are not followed yet."""

    path: Path
    kind: CallKind
    name: str
    span: Span
    """The first line, for problems of the whole file."""
    summary: str = ""
    params: Mapping[str, ParamSpec] = field(default_factory=dict)
    vars: Mapping[str, Template] = field(default_factory=dict)
    """Constants: never overridden from outside."""
    lock: Lock | None = None
    lock_span: Span | None = None
    preflight: tuple[Statement, ...] = ()
    steps: tuple[Statement, ...] = ()
    outputs: Mapping[str, Template] = field(default_factory=dict)
    """What whoever includes this may register."""
