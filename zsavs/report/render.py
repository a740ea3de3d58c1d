"""A page as HTML or as Markdown, through the templates in ``zsavs/report/templates``.

``page.html.j2`` and ``page.md.j2`` are the pages, ``blocks.html.j2`` and ``blocks.md.j2`` hold a macro for each kind of
block, under the name of its class in lower case. ``video.html.j2`` is the page of a video, which
:mod:`zsavs.report.video_page` fills. HTML is escaped by Jinja; Markdown by the filter ``markdown_text``.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_eval_context, select_autoescape
from jinja2.nodes import EvalContext

from zsavs.report.blocks import Block, Page, Table
from zsavs.report.chart import curve_styles, svg
from zsavs.report.escaping import breakable, markdown_text, url, visible

__all__ = ["Form", "environment", "render"]

Form = Literal["html", "markdown"]

_TEMPLATES: dict[Form, str] = {"html": "page.html.j2", "markdown": "page.md.j2"}


def render(page: Page, form: Form) -> str:
    """The whole document; every text of ``page`` is escaped, and the same page gives the same text.

    The HTML has no scripts, fetches nothing, and refers to images, audio and video files by relative links.

    Args:
        page: what to say, as raw text.
        form: "html", or "markdown" as GitHub reads it.
    """
    return environment().get_template(_TEMPLATES[form]).render(page=page)


@cache
def environment() -> Environment:
    """What renders a template: everything that it puts out is escaped, and a name that it does not know is an error."""
    made = Environment(
        loader=PackageLoader("zsavs.report"),
        undefined=StrictUndefined,
        # By the whole ending: the default looks for a name that ends in .html and leaves .html.j2 unescaped.
        autoescape=select_autoescape(enabled_extensions=("html.j2",), disabled_extensions=("md.j2",), default=True),
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (breakable, column_kinds, curve_styles, kind, markdown_text, svg, url)
    made.filters.update({function.__name__: function for function in filters})
    return made


@pass_eval_context
def _finalize(context: EvalContext, value: object) -> object:
    """What a template puts out, without invisible characters in HTML; in Markdown the filter has dropped them."""
    raw = context.autoescape and isinstance(value, str) and not hasattr(value, "__html__")
    return visible(str(value)) if raw else value


def kind(block: Block) -> str:
    """The name of a block's macro."""
    return type(block).__name__.lower()


def column_kinds(table: Table) -> list[str]:
    """The CSS classes of each column: text, prose that wraps, or numbers, with room for changes where there are any."""
    kinds = []
    for k in range(len(table.columns)):
        if k in table.prose or k < table.words:
            kinds.append("prose" if k in table.prose else "word")
        else:
            kinds.append("number differs" if any(row.cells[k].change for row in table.rows) else "number")
    return kinds
