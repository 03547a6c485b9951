"""One option of a run: how it is written, what click makes of it, and the words that say its value again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from dce_play.cli.app.completers import Completer
from dce_play.cli.app.verb import DURATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """How an option is written, and what else it is good for."""

    names: tuple[str, ...]
    """The first long one is used in commands that we print."""
    help: str
    aliases: tuple[str, ...] = ()
    """Ansible's spellings, for hands that know those. A playbook's own param of that name wins over them."""
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    takes: click.ParamType[Any] | None = None
    """What reads its value; ``None`` for what its type needs."""
    completer: Completer | None = None
    """What the shell offers for its value."""
    splits: bool = False
    """Whether one value may hold several, divided by commas."""
    counted: bool = False
    """Whether it has no value of its own: how often it stands there counts."""
    kept: bool = False
    """What the run is of: ``resume`` takes it from the journal and has no such option."""
    resumes: bool = False
    """``resume`` has it too, for itself; a printed ``resume`` says it again."""
    again: bool = True
    """A printed command that does for real what a dry run showed says it again."""

    @property
    def long(self) -> str:
        return next(name for name in self.names if name.startswith("--"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One option, as its field declares it."""

    name: str
    kind: type
    """``bool``, ``int``, ``float``, ``str``, ``Path``, or ``tuple`` of texts."""
    default: object
    flag: Flag = field(repr=False)

    def click_option(self) -> click.Option:
        """Return the option as click wants it; its value has the field's name."""
        flag = self.flag
        names = [self.name, *flag.names, *flag.aliases]
        if self.kind is bool:
            return click.Option(names, is_flag=True, help=flag.help)
        if flag.counted:
            return click.Option(names, count=True, help=flag.help)
        kinds: dict[type, click.ParamType[Any]] = {
            Path: click.Path(path_type=Path),
            float: DURATION,
            int: click.IntRange(min=1),
        }
        kind: click.ParamType[Any] = (
            click.Choice(flag.choices) if flag.choices else flag.takes or kinds.get(self.kind, click.STRING)
        )
        return click.Option(
            names,
            type=kind,
            multiple=self.kind is tuple,
            default=self.default if self.kind is not tuple else None,
            show_default=bool(flag.choices),
            metavar=flag.metavar,
            help=flag.help,
            shell_complete=flag.completer,
        )

    def words(self, value: Any) -> Iterator[str]:
        """Yield the words that say this value; none for the default."""
        if value == self.default:
            return
        if self.kind is bool:
            yield self.flag.long
        elif self.flag.counted:
            yield from [self.flag.long] * value
        elif self.flag.splits:
            yield from said(self.flag.long, ",".join(value))
        elif self.kind is float:
            yield from said(self.flag.long, f"{value:g}s")
        else:
            for each in value if self.kind is tuple else (value,):
                yield from said(self.flag.long, str(each))


def said(option: str, value: str) -> tuple[str, ...]:
    """Return an option and its value as words; a value that looks like an option is tied to it."""
    return (f"{option}={value}",) if value.startswith("-") else (option, value)
