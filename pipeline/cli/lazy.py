"""Commands whose options are made when they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand
from typer.main import get_command

Function = Callable[..., None]


class LazyCommand(TyperCommand):
    """A command whose options come from models.

    Loading the models takes longer than all of `outcross --help`. They are loaded when the command
    runs, shows its own help, or completes its options.
    """

    make: ClassVar[Callable[[], Function]]

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Give the command its options and its function, then parse the arguments."""
        app = typer.Typer(add_completion=False)
        app.command(self.name)(type(self).make())
        command = get_command(app)
        self.params, self.callback = command.params, command.callback
        return super().make_context(*args, **kwargs)


def add_lazy_command(app: typer.Typer, name: str, text: str, make: Callable[[], Function]) -> None:
    """Add a command to an app.

    Args:
        app: the app, or a group of it.
        name: name of the command.
        text: help of the command.
        make: returns the command's function. Its signature says the options.
    """

    class Command(LazyCommand):
        pass

    Command.make = staticmethod(make)
    app.command(name, cls=Command, help=text)(_placeholder)


def _placeholder() -> None:
    """Stand in for a command's function until it is made."""
