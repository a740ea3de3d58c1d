"""Pages through their templates: every kind of block has one in each form, and every text comes back as text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from html.parser import HTMLParser
from typing import Any, get_args
from urllib.parse import unquote

import pytest
from hostile_text import HOSTILE, READ
from jinja2 import UndefinedError

from zsavs.report import blocks
from zsavs.report.blocks import (
    Audio,
    Block,
    Cell,
    Chart,
    Curve,
    Figure,
    Figures,
    Heading,
    Notice,
    Page,
    Paragraph,
    Row,
    Section,
    Table,
    Video,
)
from zsavs.report.render import Form, render

FORMS = get_args(Form)


def hostile(number: int) -> str:
    """The hostile text, with a number by which it can be found again."""
    return f"no{number}. {HOSTILE}"


def block_with(text: Iterator[str]) -> list[Block]:
    """One block of every kind, with each text field and each path from ``text``."""
    cells = [Cell(next(text), next(text), 0.5, best=True), Cell(next(text), share=0.25), Cell(next(text))]
    figures = [Figure(next(text), next(text), next(text)), Figure(None, next(text), next(text))]
    points = [(0.1, 0.2), (0.5, 0.3)]
    return [
        Table([next(text), next(text), next(text)], [Row(cells), Row(cells, beneath=True)], caption=next(text)),
        Paragraph(next(text)),
        Notice(next(text)),
        Heading(next(text)),
        Chart([Curve(next(text), points), Curve(next(text), points)], next(text), next(text), (0.5, next(text))),
        Figures(figures),
        Figures(figures, large=True),
        Audio(next(text), next(text)),
        Video(next(text), next(text), next(text)),
    ]


def page_with(text: Iterator[str]) -> Page:
    return Page(next(text), next(text), [Section(next(text), block_with(text))])


def texts(value: Any) -> Iterator[tuple[str, str]]:
    """Every text in a page, each with the name of its field."""
    for field in fields(value):
        inner = getattr(value, field.name)
        for entry in inner if isinstance(inner, (list, tuple)) else [inner]:
            if isinstance(entry, str):
                yield f"{type(value).__name__}.{field.name}", entry
            elif is_dataclass(entry):
                yield from texts(entry)


class Reader(HTMLParser):
    """What can be read on a page, what its attributes say, and its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def read_markdown(text: str) -> str:
    """Markdown as it is read: escapes undone."""
    return html.unescape(re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text))


@pytest.fixture(scope="module")
def page() -> Page:
    return page_with(map(hostile, iter(range(1000))))


@pytest.fixture(scope="module", params=FORMS)
def rendered(request: pytest.FixtureRequest, page: Page) -> tuple[Form, str]:
    return request.param, render(page, request.param)


def test_the_page_holds_every_kind_of_block_and_every_text_field(page: Page) -> None:
    kinds = {type(block) for section in page.sections for block in section.blocks}
    assert kinds == set(get_args(Block))
    parts = [getattr(blocks, name) for name in blocks.__all__ if name != "Block"]
    known = {f"{part.__name__}.{field.name}" for part in parts for field in fields(part) if "str" in str(field.type)}
    assert {name for name, _ in texts(page)} == known


def test_every_text_is_read_as_it_is(rendered: tuple[Form, str], page: Page) -> None:
    form, text = rendered
    reader = Reader(text)
    said = reader.text if form == "html" else read_markdown(text)
    said = " ".join(said.split())
    links = [value for name, value in reader.attributes if name in ("href", "src")]
    links += re.findall(r"\]\(<([^>]*)>\)", text)
    drawn_only = ("Chart.x", "Chart.y", "Chart.mark", "Curve.name")  # in Markdown a chart is a link to the HTML
    for name, raw in texts(page):
        number = raw.split(".")[0] + "."
        if name.endswith((".path", ".page")):
            assert any(unquote(link, errors="surrogateescape") == raw for link in links), name
        elif form == "html" or name not in drawn_only:
            assert f"{number} {READ}" in said, name
    # Where the text of a link is an image, the image's own text says it.
    assert form != "html" or any(READ in " ".join(value.split()) for name, value in reader.attributes if name == "alt")


def test_nothing_hostile_is_more_than_text(rendered: tuple[Form, str]) -> None:
    form, text = rendered
    assert "<script" not in text
    assert not set(text) & {"\u202e", "\udc80", "\x1b"}
    if form == "html":
        reader = Reader(text)
        assert not reader.tags & {"script", "iframe", "object", "link", "base", "use", "image", "foreignobject"}
        names = [name for name, _ in reader.attributes]
        assert not [name for name in names if name.startswith("on")]
        assert names.count("id") == 1, "that of the section"
        assert not re.search(r"url\(|@import|https?://", text)
    else:
        without_links = re.sub(r"\]\(<[^>]*>\)", "", text)
        assert not re.search(r"(?<!\\)[`$]", without_links)
        assert not [line for line in text.splitlines() if line.startswith("| `")]


def test_tables_in_markdown_have_as_many_cells_in_every_line(page: Page) -> None:
    lines = [line for line in render(page, "markdown").splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4}


@pytest.mark.parametrize("start", ["- a", "+ a", "1. a", "12) a", "# a", "> a", "* a", "-", "1."])
def test_a_paragraph_in_markdown_starts_nothing_else(start: str) -> None:
    text = render(Page("t", start, []), "markdown").splitlines()[2]
    assert not re.match(r"([-+*#>]|\d+[.)])(\s|$)", text)
    assert read_markdown(text) == start


@pytest.mark.parametrize("text", ["-5", "-0.5", "1.5", "2 of 3", "a - b", "one_two"])
def test_numbers_and_names_in_markdown_stay_as_they_are(text: str) -> None:
    assert render(Page("t", text, []), "markdown").splitlines()[2] == text


@pytest.mark.parametrize("form", FORMS)
def test_a_kind_of_block_without_a_template_is_an_error(form: Form) -> None:
    class Unknown:
        text = "a"

    with pytest.raises(UndefinedError, match="unknown"):
        render(Page("t", "s", [Section("x", [Unknown()])]), form)  # type: ignore[list-item]


@pytest.mark.parametrize("form", FORMS)
def test_the_same_page_gives_the_same_text(form: Form, page: Page) -> None:
    assert render(page, form) == render(page, form)


def test_long_names_may_break_after_an_underscore_or_a_slash() -> None:
    long = "a_rather/long_name_of_a_strategy"
    text = render(Page("t", "s", [Section("x", [Table(["A_b"], [Row([Cell(long)]), Row([Cell("a_b")])])])]), "html")
    assert "a_<wbr>rather/<wbr>long_<wbr>name_" in text
    assert ">a_b<" in text
    assert ">A_<wbr>b<" in text


def test_a_page_without_sections_has_no_contents() -> None:
    assert "<nav" not in render(Page("t", "s", []), "html")
