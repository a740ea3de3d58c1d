"""The page as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from urllib.parse import quote

from zsavs.report.blocks import (
    Block,
    Chart,
    Figure,
    Figures,
    Heading,
    Notice,
    Page,
    Paragraph,
    Row,
    Section,
    Sound,
    Table,
)

__all__ = ["markdown"]

_SPECIAL = re.compile(r"([\\`*\[\]|~$#!])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def markdown(page: Page) -> str:
    """The whole document; every text of ``page`` is escaped."""
    parts = [f"# {_text(page.title)}", _text(page.summary), *map(_section, page.sections)]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> str:
    return "\n\n".join((f"## {_text(section.title)}", *map(_block, section.blocks)))


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return _text(text)
        case Notice(text):
            return f"> **Caution.** {_text(text)}"
        case Heading(text):
            return f"### {_text(text)}"
        case Chart():
            return "The curves are drawn in [report.html](report.html)."
        case Figures(images):
            return "\n".join(map(_image, images))
        case Sound(path, title):
            return f"- [{_text(title)}](<{_url(path)}>)"
        case Table():
            return _table(block)


def _image(image: Figure) -> str:
    title = f"{_text(image.note)}: {_text(image.title)}"
    if image.path is None:
        return f"- {title}"
    return f"- [{title}](<{_url(image.path)}>)"


def _url(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")


def _table(table: Table) -> str:
    marks = [":--" if k < table.words or k in table.prose else "--:" for k in range(len(table.columns))]
    lines = [_text(table.caption), ""] if table.caption else []
    lines += [_row([_text(name) for name in table.columns]), _row(marks)]
    lines += [_row(_cells(row)) for row in table.rows]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    texts = []
    for cell in row.cells:
        text = f"**{_text(cell.text)}**" if cell.best and cell.text else _text(cell.text)
        texts.append(f"{text} ({_text(cell.change)})" if cell.change else text)
    return texts


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """``text`` without anything that Markdown or HTML would take for its own."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)
