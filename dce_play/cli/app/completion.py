"""``dce-play completion``: the script that teaches a shell to complete our commands and options."""

import click
from click.shell_completion import get_completion_class

_ZSH_NEEDS = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }"
"""Click's script registers itself with a function that a bare ``.zshrc`` has not loaded."""
_FISH_SPLIT = 'string split "," $completion'
"""Click's script cuts an offer at every comma, and ours have some: ``--target demo,den``."""


@click.command(
    short_help="Print the completion script of a shell.",
    help="""Print the completion script of a shell. Put the line into the file that your shell reads when it starts.

    \b
    Examples:
      eval "$(dce-play completion bash)"
      eval "$(dce-play completion zsh)"
      dce-play completion fish > ~/.config/fish/completions/dce-play.fish

    Exit 0: told. Exit 2: no such shell.
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script; it calls ``dce-play`` back for the words, so new playbook options are there at once."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}", ctx)
    script = found(ctx.find_root().command, {}, "dce-play", "_DCE_PLAY_COMPLETE").source()
    if shell == "zsh":
        script = script.replace("    compdef ", f"    {_ZSH_NEEDS}\n    compdef ")
    click.echo(script.replace(_FISH_SPLIT, _FISH_SPLIT.replace("split", "split --max 1")))
