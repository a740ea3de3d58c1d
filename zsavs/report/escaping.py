"""Text from outside, made safe to stand in a page; the functions are filters of the templates."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from markupsafe import Markup

__all__ = ["breakable", "markdown_text", "url", "visible"]

#: Characters that turn the direction of everything after them, also outside of their own label.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: Control characters, and the two that end a line or a paragraph.
_BREAKING = frozenset(("Cc", "Zl", "Zp"))

#: What Markdown takes for its own anywhere in a line.
_SPECIAL = re.compile(r"([\\`*\[\]|~$#!])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
#: What starts an item of a list, at the start of a line.
_ITEM = re.compile(r"^(\s*)([-+]|\d{1,9}(?=[.)]))(?=[.)]?(?:\s|$))")

#: Names of up to so many characters are kept on one line where there is a choice.
_UNBROKEN = 24


def visible(text: str) -> str:
    """``text`` on one line, without control and direction characters and without halves of characters."""
    whole = text.encode("utf-8", "replace").decode("utf-8")  # a file name that is not UTF-8 holds halves
    if whole.isprintable():
        return whole
    return "".join(" " if unicodedata.category(c) in _BREAKING else c for c in whole if c not in _TURNING)


def markdown_text(text: str) -> str:
    """``text`` without anything that Markdown or HTML would take for its own."""
    text = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _SPECIAL.sub(lambda found: "\\" + found[0], text)
    return _ITEM.sub(lambda found: f"{found[1]}{found[2]}\\" if found[2].isdigit() else f"{found[1]}\\{found[2]}", text)


def url(path: str) -> str:
    """A path relative to the page as a link; bytes that are not UTF-8 keep their values."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")


def breakable(text: str, unbroken: int = _UNBROKEN) -> Markup:
    """``text`` as HTML that may break after an underscore or a slash, where it has no space to break at.

    Args:
        text: raw.
        unbroken: texts of up to so many characters are left whole.
    """
    parts = [text] if len(text) <= unbroken else re.split(r"(?<=[_/])", visible(text))
    return Markup("<wbr>").join(map(visible, parts))
