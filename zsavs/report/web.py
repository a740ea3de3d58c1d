"""The page as one HTML file: no scripts, nothing fetched, images and sounds by relative links."""

from __future__ import annotations

from html import escape
from importlib import resources
from urllib.parse import quote

from zsavs.report.blocks import (
    Block,
    Cell,
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
from zsavs.report.chart import colour, dashes, svg

__all__ = ["html"]

#: Forbids everything but inline styles, and images and sounds from the page's own place, should a label ever slip
#: through.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file:; media-src 'self' file:"

#: Names of up to so many characters are kept on one line where there is a choice.
_UNBROKEN = 24


def html(page: Page) -> str:
    """The whole document; every text of ``page`` is escaped."""
    style = (resources.files("zsavs") / "data" / "report.css").read_text(encoding="utf-8")
    contents = "".join(
        f'<li><a href="#part-{i}">{escape(section.title)}</a></li>' for i, section in enumerate(page.sections)
    )
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(page.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>",
            f'<h1>{escape(page.title)}</h1>\n<p class="summary">{escape(page.summary)}</p>',
            f'<nav aria-label="Contents"><ul>{contents}</ul></nav>' if page.sections else "",
            *(_section(i, section) for i, section in enumerate(page.sections)),
            "</main>\n</body>\n</html>\n",
        )
    )


def _section(i: int, section: Section) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    return f'<section id="part-{i}">\n<h2>{escape(section.title)}</h2>\n{blocks}\n</section>'


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Notice(text):
            return f'<p class="notice" role="note"><strong>Caution.</strong> {escape(text)}</p>'
        case Heading(text):
            return f"<h3>{escape(text)}</h3>"
        case Chart():
            return _chart(block)
        case Figures(images, large):
            return f'<div class="images{" large" if large else ""}">{"".join(map(_image, images))}</div>'
        case Sound(path, title):
            player = f'<audio controls preload="metadata" src="{_url(path)}"></audio>'
            return f'<figure class="sound">{player}<figcaption>{escape(title)}</figcaption></figure>'
        case Table():
            return _table(block)


def _chart(chart: Chart) -> str:
    keys = "".join(
        f'<li><svg viewBox="0 0 28 8" aria-hidden="true"><path class="edge" d="M1 4H27"/><path class="curve" '
        f'd="M1 4H27" stroke="{colour(i)}" stroke-dasharray="{dashes(i) or "none"}"/></svg>{escape(curve.name)}</li>'
        for i, curve in enumerate(chart.curves)
    )
    return f'<figure class="chart">{svg(chart)}<figcaption><ul class="keys">{keys}</ul></figcaption></figure>'


def _image(image: Figure) -> str:
    shown = '<div class="none">no image</div>'
    if image.path is not None:
        url = _url(image.path)
        shown = f'<a href="{url}"><img src="{url}" alt="{escape(image.title)}"></a>'
    note = f"<b>{escape(image.note)}</b> {escape(image.title)}"
    return f"<figure>{shown}<figcaption>{note}</figcaption></figure>"


def _url(path: str) -> str:
    """A relative path as an attribute's value."""
    return escape(quote(path.encode("utf-8", "surrogateescape"), safe="/"))


def _table(table: Table) -> str:
    caption = f'<p class="caption">{escape(table.caption)}</p>' if table.caption else ""
    heads = "".join(
        f'<th scope="col" class="{_kind(table, k)}">{_soft(escape(name), 0)}</th>'
        for k, name in enumerate(table.columns)
    )
    body = "\n".join(_row(table, row) for row in table.rows)
    return (
        f'{caption}<div class="scroll" tabindex="0"><table>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _row(table: Table, row: Row) -> str:
    kind = ' class="beneath"' if row.beneath else ""
    return f"<tr{kind}>" + "".join(_cell(table, k, cell) for k, cell in enumerate(row.cells)) + "</tr>"


def _cell(table: Table, k: int, cell: Cell) -> str:
    text = _soft(escape(cell.text))
    if cell.best:
        text = f"<b>{text}</b>"
    if cell.change:
        text += f' <small class="change">{escape(cell.change)}</small>'
    bar = f' style="--share:{100 * cell.share:.1f}%"' if cell.share is not None else ""
    kind = _kind(table, k) + (" bar" if bar else "")
    if k == 0 and cell.text:
        return f'<th scope="row" class="{kind}"{bar}>{text}</th>'
    return f'<td class="{kind}"{bar}>{text}</td>'


def _kind(table: Table, k: int) -> str:
    """The classes of a column: text, prose that wraps, or numbers, with room for differences where there are any."""
    if k in table.prose or k < table.words:
        return "prose" if k in table.prose else "word"
    return "number differs" if any(row.cells[k].change for row in table.rows) else "number"


def _soft(escaped: str, unbroken: int = _UNBROKEN) -> str:
    """Longer names may break after an underscore or a slash, where there is no space to break at."""
    return escaped if len(escaped) <= unbroken else escaped.replace("_", "_<wbr>").replace("/", "/<wbr>")
