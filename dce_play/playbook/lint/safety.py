"""Rules about what is dangerous to write: shells, options in disguise, absolute paths, secrets."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from dce_play.playbook.check.contents import statements
from dce_play.playbook.language.model import CallKind, Expression, Items, Literal, Playbook, StepCall, Template, Text
from dce_play.playbook.load.library import Library
from dce_play.playbook.types.shapes import Format, signature
from dce_play.source import JsonValue, Pointer, Problem, Severity, Span

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish"})
_SECRET_KEY = re.compile(r"(^|_)(token|secret|passw(or)?d|api_?key|private_?key)$", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"\b(mfa\.[\w-]{20,}|[MNO][\w-]{23,27}\.[\w-]{6,7}\.[\w-]{27,}|gh[pousr]_\w{36,}|AKIA[0-9A-Z]{16}|xox[bp]-[\w-]{10,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_REFERENCE = re.compile(r"^(env|file|keyring):")


def safety(playbook: Playbook, library: Library) -> Iterator[Problem]:
    """Yield W421, W422, W423 and W451."""
    for statement in statements((*playbook.preflight, *playbook.steps)):
        if isinstance(statement, StepCall):
            yield from _program(statement)
            yield from _shell_line(statement)
            if playbook.kind is CallKind.ROLE:
                yield from _absolute_paths(statement, library)
    yield from _secrets(playbook, library)


def _warning(rule: str, message: str, span: Span, *, hint: str = "") -> Problem:
    return Problem(rule=rule, message=message, span=span, severity=Severity.WARNING, hint=hint)


def _program(statement: StepCall) -> Iterator[Problem]:
    template = statement.params.get("argv")
    if template is None:
        return
    words = _words(template)
    first = PurePosixPath(words[0]).name if words and isinstance(words[0], str) else ""
    if first in _SHELLS and any(isinstance(word, str) and re.fullmatch("-[a-z]*c", word) for word in words):
        hint = "name the program and its arguments themselves, or use shell.run"
        yield _warning("W421", f"this starts a shell ({first})", template.span, hint=hint)
        return
    for word in words[1:]:
        if word == "--":
            return
        if isinstance(word, Expression) or (isinstance(word, Text) and isinstance(word.parts[0], Expression)):
            message = "an argument that begins with an expression may be taken for an option"
            yield _warning("W423", message, word.span, hint='put "--" before it, where the program knows that')


def _shell_line(statement: StepCall) -> Iterator[Problem]:
    template = statement.params.get("line") if statement.step == "shell.run" else None
    if isinstance(template, Text | Expression):
        hint = 'put the value into env, and write "$NAME" in the line'
        yield _warning("W421", "the shell reads whatever the expression gives", template.span, hint=hint)


def _words(template: Template) -> list[str | Template]:
    match template:
        case Items(items=items):
            return [item.value if isinstance(item, Literal) and isinstance(item.value, str) else item for item in items]
        case Literal(value=list() as values):
            return [value for value in values if isinstance(value, str)]
        case _:
            return []


def _absolute_paths(statement: StepCall, library: Library) -> Iterator[Problem]:
    step = library.steps.get(statement.step)
    if step is None or statement.step in library.broken:
        return
    fields = signature(step).params
    for name, template in statement.params.items():
        is_path = name in fields and fields[name].shape.format is Format.PATH
        if is_path and isinstance(template, Literal) and str(template.value).startswith("/"):
            message = "a role that names an absolute path works on one machine only"
            yield _warning("W422", message, template.span, hint="make it a param")


def _secrets(playbook: Playbook, library: Library) -> Iterator[Problem]:
    document = library.entries[playbook.path].document
    for pointer, text in _texts((), document.value):
        if _is_literal_secret(str(pointer[-1]) if pointer else "", text):
            hint = "keep it out of the file: env:NAME, file:PATH or keyring:NAME"
            yield _warning("W451", "this looks like a secret", document.value_span(pointer), hint=hint)


def _is_literal_secret(key: str, text: str) -> bool:
    if _SECRET_VALUE.search(text):
        return True
    word = text.strip() != "" and " " not in text and "{{" not in text
    return word and _SECRET_KEY.search(key) is not None and not _REFERENCE.match(text)


def _texts(pointer: Pointer, value: JsonValue) -> Iterator[tuple[Pointer, str]]:
    match value:
        case str():
            yield pointer, value
        case list():
            for index, item in enumerate(value):
                yield from _texts((*pointer, index), item)
        case dict():
            for key, item in value.items():
                yield from _texts((*pointer, key), item)
        case _:
            return
