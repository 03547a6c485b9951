"""``dce-play completion``: the script that teaches a shell to complete our commands and options."""

import click
from click.shell_completion import get_completion_class


@click.command(
    short_help="Print the completion script of a shell.",
    help="""Print the completion script of a shell. Put the line into the file that your shell reads when it starts.

    \b
    Examples:
      eval "$(dce-play completion bash)"
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
    click.echo(found(ctx.find_root().command, {}, "dce-play", "_DCE_PLAY_COMPLETE").source())
