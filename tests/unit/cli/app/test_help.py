"""Every command's help has an example that can be typed and the exit codes; wrong calls are told in our words."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dce_play.cli.app.commands import COMMANDS
from dce_play.cli.app.main import root
from dce_play.cli.app.misuse import misuse
from tests.support.command_line import terminal_in

_EXAMPLE = re.compile(r"Examples?:\s((?:.|\n)*?)(?:\n\s*\n|\Z)")


def walk(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Yield a context of each command below this one, and of itself."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walk(found, click.Context(found, info_name=name, parent=context))


ALL = {each.command_path: each for each in walk(root, click.Context(root, info_name="dce-play", max_content_width=100))}


def examples(text: str) -> list[str]:
    lines = [line.strip() for found in _EXAMPLE.findall(text) for line in found.splitlines()]
    return [line for line in lines if "dce-play" in line]


@pytest.mark.contract("O22")
@pytest.mark.parametrize("path", ALL)
def test_every_help_has_an_example_that_can_be_typed_and_the_exit_codes(path: str) -> None:
    text = ALL[path].command.get_help(ALL[path])
    assert re.search(r"[Ee]xit (codes?|[0-9])", text), text
    assert examples(text), text
    for example in examples(text):
        for words in commands_in(example):
            names_what_exists(words)


def commands_in(example: str) -> Iterator[list[str]]:
    """Yield the words after each ``dce-play`` of a shell line, up to where the shell ends them."""
    for part in re.findall(r"dce-play ([^|&;>()]*)", example.partition("    ")[0]):
        yield part.replace('"', "").split()


def names_what_exists(words: list[str]) -> None:
    context = ALL["dce-play"]
    for word in words:
        if f"{context.command_path} {word}" in ALL:
            context = ALL[f"{context.command_path} {word}"]
    known = {flag for param in context.command.get_params(context) for flag in (*param.opts, *param.secondary_opts)}
    of_playbook = {"--interval", "--at"}
    unknown = {word for word in words if word.startswith("--")} - known - of_playbook
    assert context.command_path != "dce-play", words
    assert not unknown, (words, unknown)


@pytest.mark.contract("O22")
def test_the_top_says_what_each_command_is_for_in_one_page() -> None:
    text = root.get_help(ALL["dce-play"])
    rows = [line for line in text.splitlines() if line.startswith("  ") and line.split()[0] in COMMANDS]
    assert [row.split()[0] for row in rows] == [name for name in COMMANDS if name in {row.split()[0] for row in rows}]
    assert len(rows) == len(COMMANDS)
    titles = [line.removesuffix(":") for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles[-6:] == ["Runs", "Playbooks and targets", "Archives", "Shipping", "Backups", "This machine"]


@pytest.mark.contract("O22")
def test_the_help_of_a_playbook_opens_with_its_summary(tmp_path: Path) -> None:
    lines = terminal_in(tmp_path).run("run", "proof", "--help").out.splitlines()
    assert lines[0].startswith("Usage: dce-play run")
    assert lines[2].strip() == "Scrape, and prove that the archives only grew"
    assert lines[4].strip().endswith("playbooks/proof.yml")


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False), metavar="PATH", required=False)
@click.option("--folder", type=click.Path(exists=True, file_okay=False))
@click.option("--count", type=click.IntRange(1, 16))
@click.option("--least", type=click.IntRange(min=1))
@click.option("--most", type=click.IntRange(max=5))
@click.option("--share", type=float)
@click.option("--format", type=click.Choice(["text", "json"]))
@click.option("--name", required=True)
@click.option("--quiet", is_flag=True)
def sample(**_options: object) -> None:
    """Take every kind of word that our commands take."""


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["nowhere"], 'PATH: there is no "nowhere"', "sample --help"),
        (["/"], 'PATH: "/" is a folder', "sample --help"),
        (["--folder", "/proc/version"], '--folder: "/proc/version" is a file', "sample --help"),
        (["--count", "x"], '--count: "x" is no whole number', "sample --help"),
        (["--count", "17"], "--count: 17 is not in 1 to 16", "sample --help"),
        (["--least", "0"], "--least: 0 is not in 1 and above", "sample --help"),
        (["--most", "6"], "--most: 6 is not in 5 and below", "sample --help"),
        (["--share", "x"], '--share: "x" is no number', "sample --help"),
        (["--format", "jsno"], '--format: there is no choice "jsno"', 'did you mean "json"?'),
        (["--format", "pdf"], '--format: there is no choice "pdf"', "known: json, text"),
        ([], "--name is missing", "sample --help"),
        (["--name"], "--name needs a value", "sample --help"),
        (["--quiet=yes"], "--quiet takes no value", "sample --help"),
        (["--quite"], "there is no option --quite", 'did you mean "--quiet"? sample --help'),
        (["--unheard-of"], "there is no option --unheard-of", "sample --help"),
        (["--name", "a", "/proc/version", "b", "c"], "nothing takes the words b c", "sample --help"),
    ],
)
def test_a_wrong_call_is_told_in_our_words(words: list[str], message: str, hint: str) -> None:
    done = CliRunner().invoke(sample, words, standalone_mode=False)
    assert isinstance(done.exception, click.ClickException)
    assert misuse(done.exception, asked="sample") == (message, hint)


def test_a_wrong_call_is_one_line_and_what_to_type_next(tmp_path: Path) -> None:
    said = terminal_in(tmp_path).run("archive", "audit", "/nonexistent")
    assert (said.code, said.out) == (2, "")
    assert said.err == 'error: PATH: there is no "/nonexistent"\n  hint: dce-play archive audit --help\n'


def test_the_help_to_ask_for_is_that_of_the_command(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    assert terminal.run("runs", "list", "-n").err == "error: -n needs a value\n  hint: dce-play runs list --help\n"
    assert (
        terminal.run("runs", "lsit").err
        == 'error: no command "lsit"; did you mean "list"?\n  hint: dce-play runs --help\n'
    )
