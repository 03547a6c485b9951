"""The words of the language: every key that is not a step's name, what it means and what it takes.

The JSON Schema, the parser, lint and the documentation all read these tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dce_play.playbook.language.model import Lock, OnError, ParamType
from dce_play.system.quantities import DURATION_PATTERN

_NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
WORDS = "x-words"
"""The key of a schema that says in words what a value must be, for our messages. ``title`` is what editors show."""

_TEXT: dict[str, Any] = {"type": "string", WORDS: "text"}
_CONDITION: dict[str, Any] = {"type": ["string", "boolean"], "minLength": 1, WORDS: "condition"}
_CONDITIONS: dict[str, Any] = {
    **_CONDITION,
    "type": ["string", "boolean", "array"],
    "items": _CONDITION,
    "minItems": 1,
}
_TEMPLATE: dict[str, Any] = {"$ref": "#/definitions/template"}
_DURATION: dict[str, Any] = {
    "anyOf": [
        {"type": ["string", "number"], "pattern": DURATION_PATTERN, "minimum": 0, WORDS: "duration"},
        _TEMPLATE,
    ]
}
_STATEMENTS: dict[str, Any] = {
    "type": "array",
    "items": {"$ref": "#/definitions/statement"},
    "minItems": 1,
    WORDS: "list of steps",
}
_NAMED_VALUES: dict[str, Any] = {"type": "object", "propertyNames": {"pattern": _NAME_PATTERN}, WORDS: "mapping"}
_IDENTIFIER: dict[str, Any] = {"type": "string", "pattern": _NAME_PATTERN, WORDS: "name of lower-case letters"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of the grammar."""

    help: str
    takes: Mapping[str, Any]
    """JSON Schema of its value."""
    required: bool = False


STATEMENT_KEYS: Mapping[str, Key] = {
    "name": Key(help="What people call it. May hold expressions.", takes=_TEXT),
    "block": Key(help="Steps under one set of keywords.", takes=_STATEMENTS),
    "rescue": Key(help="Steps for when the block fails; `failure` tells why.", takes=_STATEMENTS),
    "always": Key(help="Steps that run after the block, however it ends.", takes=_STATEMENTS),
    "role": Key(help="The role to run here; `vars` set its params.", takes={**_TEXT, "minLength": 1}),
    "playbook": Key(help="The playbook file to run here; `vars` set its params.", takes={**_TEXT, "minLength": 1}),
    "when": Key(help="Run only if this holds. A list: if all hold. Asked once, before the loop.", takes=_CONDITIONS),
    "loop": Key(
        help="Do it once for each item of this list.",
        takes={"anyOf": [{"type": "array", WORDS: "list"}, _TEMPLATE]},
    ),
    "as": Key(help="The name of the loop's item; `item` when left out.", takes=_IDENTIFIER),
    "fan_out": Key(
        help="Let the loop's items be runs of their own, several at once with --jobs or --cluster.",
        takes={"type": "boolean", WORDS: "bool"},
    ),
    "register": Key(help="Keep the outputs under this name.", takes=_IDENTIFIER),
    "vars": Key(
        help="More `vars` for this step or block; for a role or playbook, the values of its params.",
        takes=_NAMED_VALUES,
    ),
    "tags": Key(
        help="Words for --tags and --skip-tags.",
        takes={
            "anyOf": [
                {"type": "array", "items": {"type": "string", "minLength": 1, WORDS: "tag"}, WORDS: "list of tags"},
                {"type": "string", "minLength": 1, WORDS: "tag"},
            ]
        },
    ),
    "on_error": Key(
        help="`continue`: go on with the next item or step, and end as failed all the same.",
        takes={
            "anyOf": [
                {"type": "string", "enum": [str(value) for value in OnError], WORDS: "one of stop, continue"},
                _TEMPLATE,
            ]
        },
    ),
    "until": Key(help="Try again until this holds; `result` has the outputs.", takes=_CONDITIONS),
    "retries": Key(
        help="How many further tries; 3 where only `until` stands.",
        takes={"anyOf": [{"type": "integer", "minimum": 0, "maximum": 1000, WORDS: "whole number"}, _TEMPLATE]},
    ),
    "delay": Key(help="How long to wait before the second try, such as 30s; doubles up to 5m.", takes=_DURATION),
    "timeout": Key(help="How long one try, or a whole block, may take, such as 12h.", takes=_DURATION),
    "changed_when": Key(help="Whether the step counts as changed; `result` has the outputs.", takes=_CONDITIONS),
    "failed_when": Key(help="Whether the step counts as failed; `result` has the outputs.", takes=_CONDITIONS),
    "no_log": Key(help="Keep params and outputs out of every log.", takes={"type": "boolean", WORDS: "bool"}),
    "environment": Key(
        help="Environment variables for the programs that the step starts.",
        takes={
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean"], WORDS: "text"},
            WORDS: "mapping",
        },
    ),
    "confirm": Key(help="A question to ask a person before going on.", takes=_TEXT),
}

BODY_KEYS = ("block", "role", "playbook")
"""The keys that, like a step's name, say what a statement does."""

NO_EFFECT: Mapping[str, frozenset[str]] = {
    "step": frozenset({"rescue", "always"}),
    "block": frozenset({"register", "changed_when", "failed_when"}),
    "role": frozenset({"rescue", "always", "changed_when", "failed_when"}),
    "playbook": frozenset({"rescue", "always", "changed_when", "failed_when"}),
}
"""The keywords that mean nothing beside each kind of body."""

NEEDS: Mapping[str, tuple[str, ...]] = {"as": ("loop",), "fan_out": ("loop",), "delay": ("retries", "until")}
"""The keywords that mean nothing without one of some others."""

PARAM_KEYS: Mapping[str, Key] = {
    "type": Key(
        help="The type of the value.",
        takes={"type": "string", "enum": [str(value) for value in ParamType], WORDS: "type of a param"},
        required=True,
    ),
    "help": Key(help="What it is for; shown by --help.", takes=_TEXT),
    "required": Key(help="Whether it must be given.", takes={"type": "boolean", WORDS: "bool"}),
    "default": Key(help="Its value when nothing else gives one.", takes={}),
    "choices": Key(
        help="The values of a choice.",
        takes={"type": "array", "items": {"type": "string", WORDS: "text"}, "minItems": 1, WORDS: "list of texts"},
    ),
    "pattern": Key(help="A regular expression that the text must match.", takes={**_TEXT, "format": "regex"}),
    "min": Key(help="The smallest value.", takes={"type": "number", WORDS: "number"}),
    "max": Key(help="The largest value.", takes={"type": "number", WORDS: "number"}),
    "env": Key(
        help="The environment variable that sets it.",
        takes={"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", WORDS: "name of an environment variable"},
    ),
    "conflicts": Key(
        help="Params that cannot be given, or be true, together with this one.",
        takes={"type": "array", "items": _IDENTIFIER, WORDS: "list of params"},
    ),
}

_PARAMS: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"pattern": _NAME_PATTERN},
    "additionalProperties": {"$ref": "#/definitions/param"},
    WORDS: "mapping of params",
}

ROLE_KEYS: Mapping[str, Key] = {
    "name": Key(help="The role's name.", takes=_TEXT, required=True),
    "summary": Key(help="What it does, in one line.", takes=_TEXT),
    "params": Key(help="Typed inputs.", takes=_PARAMS),
    "vars": Key(help="Constants. May read params and the vars above them.", takes=_NAMED_VALUES),
    "steps": Key(help="What to do, in order.", takes=_STATEMENTS, required=True),
    "outputs": Key(help="What whoever runs it may register.", takes=_NAMED_VALUES),
}

PLAYBOOK_KEYS: Mapping[str, Key] = {
    "version": Key(
        help="The version of the language.", takes={"type": "integer", "enum": [1], WORDS: "version of the language"}
    ),
    "name": Key(help="The playbook's name.", takes=_TEXT, required=True),
    "summary": Key(help="What it does, in one line.", takes=_TEXT),
    "params": Key(help="Typed inputs; they become command-line options.", takes=_PARAMS),
    "vars": ROLE_KEYS["vars"],
    "lock": Key(
        help="`none` asserts that no step writes an archive. Left out, the steps decide.",
        takes={"type": "string", "enum": [str(value) for value in Lock], WORDS: "one of archive, none"},
    ),
    "preflight": Key(help="Checks without effects that must hold before anything is changed.", takes=_STATEMENTS),
    "steps": ROLE_KEYS["steps"],
    "outputs": Key(help="What whoever includes it may register.", takes=_NAMED_VALUES),
}

FOREIGN_WORDS: Mapping[str, str] = {
    "args": "params stand under the step's name",
    "become": "dce-play runs as you; start it as the user you need",
    "description": "write summary",
    "depends_on": "steps run in the order in which they stand",
    "env": "write environment",
    "for_each": "write loop",
    "gather_facts": "there are no facts to gather",
    "handlers": "register a step and use when: NAME.changed",
    "hosts": "targets come from the targets file",
    "id": "write register",
    "if": "write when",
    "ignore_errors": "write on_error: continue",
    "import_playbook": "write playbook",
    "import_role": "write role",
    "include_role": "write role",
    "include_tasks": "write role or playbook",
    "inputs": "write params",
    "loop_control": "write as: NAME",
    "loop_var": "write as: NAME",
    "needs": "steps run in the order in which they stand",
    "notify": "register the step and use when: NAME.changed",
    "run": "use a step such as command.run",
    "shell": "use a step such as command.run",
    "tasks": "write steps",
    "uses": "write the step's name as the key",
    "vars_files": "write params, and -e @file.yml",
    "with": "params stand under the step's name",
    "with_items": "write loop",
}
"""Words that users of other tools type, and what they are here."""
