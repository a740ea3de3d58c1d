"""What a report is made of, before it is Markdown or HTML. All text is raw: each renderer escapes it its own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Audio", "Block", "Cell", "Chart", "Curve", "Figure", "Figures", "Heading", "Notice", "Page", "Paragraph"]
__all__ += ["Row", "Section", "Table", "Video"]


@dataclass(frozen=True)
class Cell:
    """One field of a table.

    Args:
        text: what stands there.
        change: difference to the row above, shown after the text in smaller type.
        share: length of the bar behind it, in [0, 1]; None for no bar.
        best: set in bold.
    """

    text: str
    change: str = ""
    share: float | None = None
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One line of a table; ``beneath`` marks one that belongs to the line above it."""

    cells: Sequence[Cell]
    beneath: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under headings.

    Args:
        columns: headings.
        rows: each with as many cells as there are columns.
        words: how many of the first columns hold text and are set to the left; the others hold numbers.
        caption: a sentence or two above the table.
        prose: indices of columns with long text, which get room to wrap.
    """

    columns: Sequence[str]
    rows: Sequence[Row]
    words: int = 1
    caption: str = ""
    prose: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Notice:
    """A warning in plain words."""

    text: str


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True)
class Curve:
    """One line of a chart: (x, y) points in order of x; a y of None breaks the line."""

    name: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Chart:
    """Curves over x in [0, 1], y in [0, 1] and shown as percent.

    Args:
        curves: the lines, coloured in this order.
        x: name of the horizontal axis.
        y: name of the vertical axis.
        mark: an x with a dashed line, and what is written there.
    """

    curves: Sequence[Curve]
    x: str
    y: str
    mark: tuple[float, str]


@dataclass(frozen=True)
class Figure:
    """An image under the report's folder with its caption; ``path`` None where there is none."""

    path: str | None
    title: str
    note: str


@dataclass(frozen=True)
class Figures:
    """Images in a grid; ``large`` for three in a row at the most, where details matter."""

    images: Sequence[Figure]
    large: bool = False


@dataclass(frozen=True)
class Audio:
    """An audio file under the report's folder, to be played, with its caption."""

    path: str
    title: str


@dataclass(frozen=True)
class Video:
    """A video file under the report's folder, to be played, with its caption.

    Args:
        path: the file, relative to the report.
        title: the caption.
        page: a page about it, relative to the report, that the caption leads to.
    """

    path: str
    title: str
    page: str


Block = Table | Paragraph | Notice | Heading | Chart | Figures | Audio | Video


@dataclass(frozen=True)
class Section:
    """A titled part of the page; one without blocks is left out."""

    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    summary: str
    sections: Sequence[Section]
