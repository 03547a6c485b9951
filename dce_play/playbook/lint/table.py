"""The one table of lint rules: every id that a problem may have."""

from collections.abc import Mapping
from dataclasses import dataclass

from dce_play.source import Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    title: str
    fixes: bool = False
    """Whether ``--fix`` can mend it, at least where the cure is certain."""


RULES: Mapping[str, Rule] = {
    "E001": Rule("not YAML 1.2, not UTF-8, a byte order mark, or several documents"),
    "E002": Rule("a key or name is taken already"),
    "E003": Rule("a tab indents", fixes=True),
    "E004": Rule("a tag, a merge key, a key that is not text, or a budget exceeded"),
    "E101": Rule("an unknown key", fixes=True),
    "E102": Rule("a key is missing"),
    "E103": Rule("a value of the wrong type, or outside of what is allowed"),
    "E104": Rule("an expression without quotes", fixes=True),
    "E105": Rule("two targets have the same name"),
    "E109": Rule("an unknown step", fixes=True),
    "E110": Rule("an unknown role or playbook, one that runs itself, or a plan over its bounds"),
    "E111": Rule("a param that is unknown or missing", fixes=True),
    "E113": Rule("a registered name is read where it may not be there"),
    "E116": Rule("a step does more than lock or preflight allow"),
    "E118": Rule("a keyword without effect"),
    "E119": Rule("a loop that cannot fan out"),
    "E201": Rule("not an expression"),
    "E202": Rule("a template statement or comment"),
    "E203": Rule("braces where an expression stands anyway", fixes=True),
    "E204": Rule("an unknown filter, test or function"),
    "E205": Rule("an expression over its bounds"),
    "E211": Rule("an unknown name"),
    "E212": Rule("a var that reads itself or one below it"),
    "E221": Rule("a condition that is not a bool"),
    "E223": Rule("null, a list, a mapping or a secret in text"),
    "E226": Rule("an operator or filter over the wrong types"),
    "E301": Rule("a step plugin that cannot be described"),
    "W006": Rule("a word that YAML 1.1 takes for a bool, without quotes", fixes=True),
    "W007": Rule("a number with a leading zero, or of sixties, without quotes", fixes=True),
    "W008": Rule("a number above 2^53, such as an id, without quotes", fixes=True),
    "W009": Rule("a number that loses its last zero, such as a version", fixes=True),
    "W224": Rule("a condition that is always the same"),
    "W225": Rule("a comparison of things that are never equal"),
    "W228": Rule("a name that is never used"),
    "W401": Rule("nothing tells two steps apart, so their ids change when one is added"),
    "W402": Rule("two steps have the same name"),
    "W411": Rule("a step over the network without a timeout"),
    "W412": Rule("a step over the network without retries"),
    "W413": Rule("a loop that gives up the archive's lock on a cluster"),
    "W414": Rule("a target that the targets file does not have"),
    "W421": Rule("a shell is started"),
    "W422": Rule("an absolute path in a role"),
    "W423": Rule("an argument that may be taken for an option"),
    "W431": Rule("a step that a dry run cannot look ahead for"),
    "W451": Rule("something that looks like a secret"),
    "W452": Rule("a secret where it would be shown"),
    "W901": Rule("a suppression that is not used, or gives no reason"),
    "I601": Rule("no schema for editors", fixes=True),
}


def severity_of(rule: str) -> Severity:
    """Return how bad a rule is: its id's first letter tells."""
    return {"E": Severity.ERROR, "W": Severity.WARNING, "I": Severity.INFO}[rule[0]]
