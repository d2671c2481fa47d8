"""Completion for the shells that click knows."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM, VARIABLE = "labyard", "_LABYARD_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the code that lets SHELL complete commands, options and names.

    \b
    bash:  eval "$(labyard completion bash)"      in ~/.bashrc
    zsh:   eval "$(labyard completion zsh)"       in ~/.zshrc
    fish:  labyard completion fish | source       in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(kind(context.find_root().command, {}, PROGRAM, VARIABLE).source())
