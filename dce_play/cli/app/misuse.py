"""A command line that click refuses, told in our words: what is wrong, and what to type instead."""

import re
from collections.abc import Callable

import click

from dce_play.source import did_you_mean

_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]
_RULES: tuple[_Rule, ...] = (
    (
        re.compile(r"(?:Path|File|Directory) '(.*)' does not exist\.", re.DOTALL),
        lambda found: f'there is no "{found[1]}"',
    ),
    (
        re.compile(r"(?:Path|File|Directory) '(.*)' is a (file|directory)\.", re.DOTALL),
        lambda found: _kind(*found.groups()),
    ),
    (
        re.compile(r"(?:Path|File|Directory) '(.*)' is not (readable|writable|executable)\.", re.DOTALL),
        lambda found: f'"{found[1]}" is not {found[2]} for us',
    ),
    (
        re.compile(r"'(.*)' is not a valid integer(?: range)?\.", re.DOTALL),
        lambda found: f'"{found[1]}" is no whole number',
    ),
    (re.compile(r"'(.*)' is not a valid (?:float|number)\.", re.DOTALL), lambda found: f'"{found[1]}" is no number'),
    (re.compile(r"(-?\d+) is not in the range (.*)\."), lambda found: f"{found[1]} is not in {_range(found[2])}"),
    (
        re.compile(r"Got unexpected extra arguments? \((.*)\)", re.DOTALL),
        lambda found: f"nothing takes the words {found[1]}",
    ),
    (re.compile(r"Option '(.*)' does not take a value\."), lambda found: f"{found[1]} takes no value"),
    (re.compile(r"Option '(.*)' requires (?:an argument|\d+ arguments)\."), lambda found: f"{found[1]} needs a value"),
    (re.compile(r"Missing command\."), lambda _: "a command is missing"),
)
"""What click says, and what we say instead; a test makes click say each."""


def misuse(error: click.ClickException, /, *, asked: str = "dce-play") -> tuple[str, str]:
    """Return what is wrong with a command line, in one line, and a hint: what was meant, or the help to ask for.

    ``asked`` is the command that was called; click does not always say.
    """
    context = getattr(error, "ctx", None)
    hint = f"{context.command_path if isinstance(context, click.Context) else asked} --help"
    match error:
        case click.NoSuchOption(option_name=name):
            known = _options(context) if context is not None else []
            meant = did_you_mean(name, known) if did_you_mean(name, known).startswith("did") else ""
            return f"there is no option {name}", f"{meant} {hint}".strip()
        case click.MissingParameter(param=click.Parameter() as param):
            return f"{_name(param)} is missing", hint
        case click.BadParameter(param=click.Parameter() as param):
            choice = _wrong_choice(error.message, param)
            if choice is not None:
                return f"{_name(param)}: {choice[0]}", choice[1]
            return f"{_name(param)}: {_ours(error.message)}", hint
        case _:
            return _ours(error.message), hint


def _ours(message: str) -> str:
    for pattern, say in _RULES:
        found = pattern.fullmatch(message)
        if found is not None:
            return say(found)
    return message


def _wrong_choice(message: str, param: click.Parameter) -> tuple[str, str] | None:
    """Return what to say of a value that is none of the choices, with the nearest or all of them as the hint."""
    found = re.fullmatch(r"'(.*)' is not (?:one of )?.*\.", message, re.DOTALL)
    if found is None or not isinstance(param.type, click.Choice):
        return None
    return f'there is no choice "{found[1]}"', did_you_mean(found[1], [str(each) for each in param.type.choices])


def _name(param: click.Parameter) -> str:
    if isinstance(param, click.Argument):
        return (param.metavar or str(param.name).upper()).strip("[].")
    return max(param.opts, key=len)


def _options(context: click.Context) -> list[str]:
    return [flag for param in context.command.get_params(context) for flag in (*param.opts, *param.secondary_opts)]


def _kind(name: str, kind: str) -> str:
    return f'"{name}" is a {"folder" if kind == "directory" else "file"}'


def _range(text: str) -> str:
    """Return ``1<=x<=16`` and ``x>=1`` as words."""
    low, high = re.search(r"^(-?\d+)<=?x|x>=?(-?\d+)", text), re.search(r"x<=?(-?\d+)", text)
    if low and high:
        return f"{low[1] or low[2]} to {high[1]}"
    return f"{low[1] or low[2]} and above" if low else f"{high[1]} and below" if high else text
