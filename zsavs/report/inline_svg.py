"""An SVG file of matplotlib, as an element of a page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from markupsafe import Markup

from zsavs.report.escaping import visible

__all__ = ["inline_svg"]

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
#: The groups whose names become classes of what is in them; for the colours see ``page.css``.
_CLASSES = ("axis", "curve", "edge", "grid", "mark", "point")


def inline_svg(file: str, label: str, titles: Mapping[str, str]) -> Markup:
    """Paths and texts of an SVG file, with nothing around them that a page could trip over.

    Kept are shapes, places, dashes, and the colours of curves and of points. Everything else is left to the page's
    style: colours that follow light and dark mode, and typefaces. No ids, links, styles or references remain.

    Args:
        file: an SVG file as matplotlib writes it, with text as text and nothing clipped. A group is named after a
            class, with a number after a dash where there are several.
        label: says what is drawn, for those who do not see it.
        titles: for the name of a group, what is shown where the pointer rests on it.
    """
    root = ElementTree.fromstring(file)
    markers = {f"#{path.get('id')}": path.get("d", "") for path in root.iter(f"{_SVG}path") if path.get("id")}
    drawing = Element("svg", {"viewBox": root.get("viewBox", ""), "role": "img", "aria-label": label})
    for group, leaf in _leaves(root, ""):
        name = group.split("-")[0]
        attributes = {"class": name} if name in _CLASSES else {}
        style = _style(leaf)
        if leaf.tag == f"{_SVG}text":
            turn = leaf.get("transform", "")
            attributes |= {key: _rounded(leaf.get(key, "")) for key in ("x", "y")}
            attributes |= {} if turn.startswith("rotate(-0 ") else {"transform": _rounded(turn)}
            attributes |= {"text-anchor": style["text-anchor"]} if "text-anchor" in style else {}
            SubElement(drawing, "text", attributes).text = leaf.text
            continue
        attributes["d"] = _compact(leaf.get("d") or markers[leaf.get(_HREF, "")])
        if leaf.tag == f"{_SVG}use":
            place = _rounded(f"translate({leaf.get('x')} {leaf.get('y')})")
            attributes |= {"transform": place, "fill": style["fill"]}
        elif name == "curve":
            attributes["stroke"] = style["stroke"]
        if "stroke-dasharray" in style:
            attributes["stroke-dasharray"] = style["stroke-dasharray"].replace(",", " ")
        path = SubElement(drawing, "path", attributes)
        if group in titles:
            SubElement(path, "title").text = visible(titles[group])
    return Markup(ElementTree.tostring(drawing, encoding="unicode"))


def _leaves(element: Element, group: str) -> Iterator[tuple[str, Element]]:
    """What is drawn, in order, each with the name of the nearest group around it that has one."""
    for child in element:
        if child.tag == f"{_SVG}g":
            yield from _leaves(child, child.get("id", group))
        elif child.tag in (f"{_SVG}path", f"{_SVG}text", f"{_SVG}use"):
            yield group, child


def _style(element: Element) -> dict[str, str]:
    """The style of an element by property."""
    declared = (entry.partition(":") for entry in element.get("style", "").split(";"))
    return {key.strip(): value.strip() for key, _, value in declared}


def _rounded(text: str) -> str:
    """``text`` with at most one decimal in each of its numbers, which are pixels."""
    return re.sub(r"-?\d+\.\d+", lambda found: f"{round(float(found[0]), 1) + 0:g}", text)


def _compact(path: str) -> str:
    """The data of a path, rounded and without the spaces that it can do without."""
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", _rounded(path)).strip()
