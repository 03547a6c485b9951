"""A manual page for each command, from what click knows of it: ``python -m tools.man_pages FOLDER``.

Source: man-pages(7), groff_man(7).
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from dce_play import __version__
from dce_play.cli.app.exit_words import EXIT_WORDS
from tools.commands import contexts


def man_page(context: click.Context) -> str:
    """Return the page of one command, in groff's language."""
    command, path = context.command, context.command_path
    name = path.replace(" ", "-")
    short = command.get_short_help_str(limit=100).rstrip(".")
    lines = [f'.TH "{name.upper()}" "1" "" "dce-play {__version__}" "dce-play"']
    lines += [".SH NAME", f"{_text(name)} \\- {_text(short)}"]
    lines += [".SH SYNOPSIS", f".B {_text(path)}", _text(" ".join(command.collect_usage_pieces(context)))]
    lines += [".SH DESCRIPTION", *_prose(command.help or "")]
    options = [found for param in command.get_params(context) if (found := param.get_help_record(context))]
    if options:
        lines.append(".SH OPTIONS")
    for flags, told in options:
        lines += [".TP", f".B {_text(flags)}", _text(told)]
    if command.epilog:
        lines += [".SH NOTES", *_prose(command.epilog)]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for each in command.list_commands(context):
            found_command = command.get_command(context, each)
            if found_command is not None:
                lines += [".TP", f".BR {_text(f'{name}-{each}')} (1)"]
                lines.append(_text(found_command.get_short_help_str(limit=100)))
    lines.append(".SH EXIT STATUS")
    for code, what in EXIT_WORDS.items():
        lines += [".TP", f".B {code.value}", _text(what)]
    return "\n".join(lines) + "\n"


def _prose(text: str) -> Iterator[str]:
    """Yield paragraphs; one that click does not fill, as ``\\b`` says, keeps its lines here too."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        lines = paragraph.split("\n")
        yield ".PP"
        if lines[0].strip() == "\b":
            yield from (".nf", *(_text(line) for line in lines[1:]), ".fi")
        else:
            yield from (_text(line) for line in lines)


def _text(line: str) -> str:
    """Return a line that groff prints as it is."""
    escaped = line.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


def written(folder: Path) -> list[Path]:
    """Write all pages into the folder, and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = []
    for context in contexts():
        path = folder / f"{context.command_path.replace(' ', '-')}.1"
        path.write_text(man_page(context), encoding="utf-8")
        pages.append(path)
    return pages


if __name__ == "__main__":
    print(f"{len(written(Path(sys.argv[1])))} manual pages in {sys.argv[1]}")
