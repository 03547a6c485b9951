"""The pages of docs/reference that are made from the code, by name. No file holds them, so none is out of date."""

from collections.abc import Callable, Mapping

from dce_play.cli.app.commands import COMMANDS
from dce_play.cli.app.exit_words import EXIT_WORDS
from dce_play.cli.app.variables import VARIABLES
from dce_play.discord.targets.keys import DEFAULT_KEYS, TARGET_KEYS, TOP_KEYS, Key
from dce_play.playbook.lint.table import RULES, severity_of
from tools.commands import contexts

_MADE = "<!-- made from the code by tools/reference_pages.py -->\n"


def commands_page() -> str:
    """Return every command's help, under what an operator wants it for."""
    parts = [f"# Commands\n\n{_MADE}\nWhat `dce-play COMMAND --help` says, for all of them.\n"]
    section = ""
    for context in contexts():
        path = context.command_path
        words = path.split()
        if len(words) == 2 and COMMANDS[words[1]].section != section:
            section = COMMANDS[words[1]].section
            parts.append(f"## {section}\n")
        parts.append(f"{'#' * max(2, min(len(words) + 1, 4))} {path}\n\n```text\n{context.get_help()}\n```\n")
    return "\n".join(parts)


def targets_page() -> str:
    """Return the keys of a targets file."""
    parts = [
        "# The targets file\n",
        f"{_MADE}\nYAML or JSON; `dce-play init` writes one with every key. `dce-play targets check` checks it, and",
        "`schemas/targets.schema.json` helps while you write.\n",
    ]
    for title, keys in (
        ("At the top", TOP_KEYS),
        ("Of each target", {name: key for name, key in TARGET_KEYS.items() if name not in DEFAULT_KEYS}),
        ("Of defaults, or of a target", DEFAULT_KEYS),
    ):
        parts += [f"## {title}\n", "| key | type | default | means |", "| --- | --- | --- | --- |"]
        parts += [_key_row(name, key) for name, key in keys.items()]
        parts.append("")
    return "\n".join(parts)


def _key_row(name: str, key: Key) -> str:
    kind = " · ".join(f"`{each}`" for each in key.choices if each) or str(key.type)
    default = "**needed**" if key.required else "" if key.default is None else f"`{str(key.default).lower()}`"
    return f"| `{name}` | {kind} | {default} | {_cell(key.help)} |"


def variables_page() -> str:
    """Return the environment variables."""
    parts = [f"# Environment variables\n\n{_MADE}\nAn option on the command line wins over its variable."]
    parts += ["A playbook's params may name variables of their own: `dce-play run PLAYBOOK --help` shows those.\n"]
    for title, names in VARIABLES.items():
        parts += [f"## {title}\n", "| variable | means |", "| --- | --- |"]
        parts += [f"| `{name}` | {_cell(what)} |" for name, what in names.items()]
        parts.append("")
    return "\n".join(parts)


def exit_codes_page() -> str:
    """Return the exit codes."""
    rows = [f"| {code.value} | {_cell(what)} |" for code, what in EXIT_WORDS.items()]
    return "\n".join(
        [
            f"# Exit codes\n\n{_MADE}\nThe same for every command; the help of each tells what they mean there.",
            "A script treats a code that it does not know as a failure. What to do about each:",
            "[troubleshooting by exit code](../how-to/troubleshooting.md).\n",
            "| code | means |",
            "| --- | --- |",
            *rows,
            "",
        ]
    )


def rules_page() -> str:
    """Return all rules of lint in one table; examples are on the page of rules."""
    rows = [
        f"| {name} | {severity_of(name)} | {_cell(rule.title)} | {'yes' if rule.fixes else ''} |"
        for name, rule in RULES.items()
    ]
    return "\n".join(
        [
            f"# Lint rules in one table\n\n{_MADE}\nEach with an example: [lint rules](lint-rules.md).\n",
            "| rule | severity | what it tells | `--fix` |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "targets-file.md": targets_page,
    "variables.md": variables_page,
    "exit-codes.md": exit_codes_page,
    "rules.md": rules_page,
}
