"""The two streams: answers on stdout, all else on stderr; tables and a progress bar where a person looks on.

Colour, boxes and the progress bar are for a terminal alone; a file or a pipe gets plain lines. rich is imported where
it draws something, as a short command would wait for it.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = [
    "ProgressBar",
    "answer",
    "answer_json",
    "complain",
    "is_terminal",
    "log_to_stderr",
    "print_nothing_more",
    "progress",
    "say",
    "say_more",
    "show_any_name",
    "table",
]

#: A command that is done before this many seconds shows no progress bar.
_DELAY_S = 2.0


# ---------------------------------------------------------------------------------- stdout
def answer(text: object) -> None:
    """Print an answer, or a line of it, to stdout."""
    print(text)


def answer_json(value: Any) -> None:
    """Print an answer as one line of JSON, which is then all that stdout holds."""
    print(json.dumps(value, ensure_ascii=False))


def is_terminal() -> bool:
    """Whether a person reads stdout as it is printed."""
    return sys.stdout is not None and sys.stdout.isatty()


def table(
    columns: Mapping[str, str],
    rows: Sequence[Sequence[str]],
    title: str | None = None,
    row_styles: Sequence[str] = (),
) -> None:
    """Print a table with colour to a terminal.

    Args:
        columns: the heading of each column with the style of its cells, such as "bold" or "green".
        rows: the cells, a text for each column.
        title: what stands above the table.
        row_styles: the style of each row; none if left out.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for heading, style in columns.items():
        drawn.add_column(heading, style=style, justify="right" if heading == "MB" else "left", overflow="fold")
    for number, row in enumerate(rows):
        style = row_styles[number] if row_styles else ""
        drawn.add_row(*map(Text, row), style=style)  # as texts, because [...] in a plain string would be markup
    Console().print(drawn)


def show_any_name() -> None:
    """Let stdout print every file name: one that is no text is printed with escapes, as ``\\udcff`` in JSON."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def print_nothing_more() -> None:
    """Let go of what is still to be printed, which Python would try once more at the exit."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# ---------------------------------------------------------------------------------- stderr
def say(text: str) -> None:
    """Print a line to stderr, with the name of the program in front."""
    print(f"zsavs: {text}", file=sys.stderr)


def complain(message: object, code: int) -> int:
    """Say in one line what went wrong; the exit code that was given, for ``return complain(...)``."""
    say(f"{'interrupted' if code == 130 else 'error'}: {' '.join(str(message).split())}")
    return code


class _Stderr(logging.StreamHandler[TextIO]):
    """A handler that writes to the stderr of the moment: a progress bar puts its own in place, to stay below."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def log_to_stderr() -> None:
    """Send warnings of zsavs to stderr; :func:`say_more` sends more."""
    handler = _Stderr()
    handler.setFormatter(logging.Formatter("zsavs: %(levelname)s: %(message)s"))
    logger = logging.getLogger("zsavs")
    logger.handlers = [handler]
    logger.setLevel(logging.WARNING)


def say_more(times: int) -> None:
    """Log one level more for each ``-v``: after warnings come information and then everything."""
    logger = logging.getLogger("zsavs")
    logger.setLevel(max(logging.DEBUG, logger.level - 10 * times))


# -------------------------------------------------------------------------------- progress
class ProgressBar:
    """How far a command is; draws nothing where stderr is no terminal.

    Args:
        drawn: what draws it, with one task; None for nobody.
    """

    def __init__(self, drawn: Progress | None) -> None:
        self._drawn = drawn

    def begin(self, total: int) -> None:
        """Set how many steps there are, and that none is done."""
        self._update(total=total, completed=0)

    def advance(self, count: int = 1) -> None:
        """Count steps that are done."""
        self._update(advance=count)

    def report(self, done: int, total: int | None) -> None:
        """Set how many steps are done, and how many there are, if that is known."""
        self._update(total=total, completed=done)

    def start_over(self, what: str) -> None:
        """Begin something else, of which nothing is done and no time has gone by."""
        if self._drawn is not None:
            self._drawn.reset(self._drawn.task_ids[0], description=what)

    def describe(self, what: str) -> None:
        """Set the words in front of the bar."""
        self._update(description=what)

    def _update(self, **changes: Any) -> None:
        if self._drawn is not None:
            self._drawn.update(self._drawn.task_ids[0], **changes)


@contextmanager
def progress(what: str, total: int | None = None, rate: str = "") -> Iterator[ProgressBar]:
    """Show a progress bar on stderr while the body runs, from the moment that it has taken two seconds.

    Args:
        what: the words in front of the bar.
        total: the number of steps; None where it is not known yet.
        rate: what the steps are, to show how many are done in a second.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield ProgressBar(None)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(TextColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.2f} {rate}/s" if rate and task.speed else "", style="progress.data.speed")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    # stdout stays as it is, as an answer that is printed meanwhile would go to stderr with the bar.
    drawn = Progress(
        *columns,
        *([RateColumn("")] if rate else []),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
    drawn.add_task(what, total=total)
    later = threading.Timer(_DELAY_S, drawn.start)
    later.daemon = True
    later.start()
    try:
        yield ProgressBar(drawn)
    finally:
        later.cancel()
        later.join()  # it may be about to draw
        drawn.stop()
