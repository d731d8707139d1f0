"""The terminal that commands print to: names, labels and errors are text on it, and nothing else."""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from typer.core import TyperGroup

from nightsort.wording import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.text import Text


class Terminal(Console):
    """A console on which brackets are brackets, ``:name:`` is no emoji, and control characters are visible.

    What is printed may come from a file's name, a label, S3 or a log. None of it can move the cursor, change
    the title of the window, hide text, or be taken for rich's markup. Styles of our own are given as
    ``style=`` or as a ``Text``.

    :param settings: as for rich's console.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, **settings})

    def render_str(self, text: str, **settings: Any) -> Text:
        """Return a text to print. It is measured as it will be shown."""
        return super().render_str(visible(text), **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return what is written, whatever it was made of."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


class CommandGroup(TyperGroup):
    """Commands whose errors about arguments show these as text; the arguments may be names of files."""

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        """Parse the options before the command."""
        with _visible_arguments():
            return super().make_context(*arguments, **settings)

    def invoke(self, context: Any) -> Any:
        """Parse the rest, and run the command."""
        with _visible_arguments():
            return super().invoke(context)


@contextmanager
def _visible_arguments() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # What typer and click raise about arguments; they print it themselves.
        if hasattr(error, "format_message"):
            message = visible(error.format_message())
            error.format_message = lambda: message
        raise


def run(command: Callable[..., Any], name: str) -> None:
    """Run a command line; show the traceback of an unexpected error as text.

    :param command: the app, made with ``cls=CommandGroup``.
    :param name: what the user typed.
    """
    try:
        command(prog_name=name)
    except Exception:
        Terminal(stderr=True).print(traceback.format_exc(), highlight=False, soft_wrap=True)
        sys.exit(1)
