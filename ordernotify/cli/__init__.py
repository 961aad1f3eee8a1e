"""The command line: each command parses, calls one operation, renders, and sets the exit status."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="ordernotify",
    help="Stand up, prove, run and remove a serverless order-notification system on AWS.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def main() -> None:
    """Run the command line; the entry point of the installed command."""
    from ordernotify.cli import local, logs, orders, policy, stack, subscribers  # noqa: F401 - they register their commands

    app(prog_name="ordernotify")
