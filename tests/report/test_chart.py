"""Charts: as many curves as asked, told apart without colour, their text, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import combinations, pairwise
from xml.etree import ElementTree

import matplotlib
import pytest

from zsavs.draw import palette
from zsavs.report.blocks import Chart, Curve
from zsavs.report.chart import curve_styles, svg

POINTS = [(0.1, 0.2), (0.3, 0.6), (0.5, 0.4), (0.9, 0.1)]


def chart(curves: int = 3, **texts: str) -> Chart:
    named = {"x": "Threshold", "y": "J in percent", "mark": "fixed"} | texts
    drawn = [Curve(f"curve {i}", [(x, y * (i + 1) / curves) for x, y in POINTS]) for i in range(curves)]
    return Chart(drawn, named["x"], named["y"], (0.5, named["mark"]))


def parts(drawing: Chart, name: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(svg(drawing))
    return [path for path in root.iter("path") if path.get("class") == name]


def texts(drawing: Chart) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg(drawing)).iter("text")]


@pytest.mark.parametrize("count", [0, 1, 3, 25])
def test_there_are_as_many_curves_as_asked(count: int) -> None:
    curves = parts(chart(count), "curve")
    assert [path.get("stroke") for path in curves] == ["#{:02x}{:02x}{:02x}".format(*rgb) for rgb in palette(count)]
    assert [path.findtext("title") for path in curves] == [f"curve {i}" for i in range(count)]
    assert len(parts(chart(count), "edge")) == count


def test_curves_differ_without_their_colours() -> None:
    looks = [(style.dashes, style.marker) for style in curve_styles(20)]
    assert len(set(looks)) == 20
    for first, second in combinations(curve_styles(4), 2):
        assert first.dashes != second.dashes
        assert first.marker != second.marker
    drawn = [path.get("stroke-dasharray") for path in parts(chart(8), "curve")]
    assert len(set(drawn[:4])) == 4
    assert drawn[:4] == drawn[4:]
    assert len({path.get("d") for path in parts(chart(8), "point")}) == 5


def test_the_legend_has_the_marker_of_the_curve() -> None:
    """Both are made of the same corners, the page's around a place, matplotlib's moved to it."""
    for style, path in zip(curve_styles(1), parts(chart(1), "point"), strict=False):
        corners = re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d") or "")[:-1]
        outlined = re.findall(r"(-?[\d.]+) (-?[\d.]+)", style.outline(0, 0))
        assert len(corners) == len(outlined) == len(style.marker)
        for drawn, named in zip(corners, outlined, strict=True):
            assert [float(value) for value in drawn] == pytest.approx([float(value) for value in named], abs=0.11)


def test_texts_are_those_of_the_chart() -> None:
    found = texts(chart())
    assert {"Threshold", "J in percent", "fixed", "0", "0.2", "1"} <= set(found)
    assert 'aria-label="J in percent against Threshold"' in svg(chart())


@pytest.mark.parametrize(("best", "ticks"), [(0.0, 5), (0.03, 4), (0.2, 5), (0.61, 5), (1.0, 6), (7.0, 6)])
def test_the_vertical_axis_starts_at_nothing_and_has_round_ticks(best: float, ticks: int) -> None:
    drawing = Chart([Curve("a", [(0.1, best), (0.9, best)])], "x", "y", (0.5, "m"))
    grid = parts(drawing, "grid")
    assert len(grid) in (ticks - 1, ticks, ticks + 1)
    labels = [float(text) for text in texts(drawing) if re.fullmatch(r"[\d.]+", text)][6:]
    assert labels[0] == 0
    assert min(100 * best, 100) <= labels[-1] <= 100
    steps = {round(b - a, 6) for a, b in pairwise(labels)}
    assert len(steps) == 1


def test_values_outside_of_the_axes_are_drawn_on_their_edges() -> None:
    path = parts(Chart([Curve("a", [(0.0, -1.0), (1.0, 2.0)])], "x", "y", (0.5, "m")), "curve")[0]
    assert path.get("d") == "M50 256L446 30"


def test_a_point_on_its_own_has_a_marker() -> None:
    points = [(k / 40, 0.5 if k != 31 else None) for k in range(40)]
    points[33] = (33 / 40, None)
    marked = parts(Chart([Curve("a", points)], "x", "y", (0.5, "m")), "point")
    places = [float(re.findall(r"[\d.]+", path.get("transform") or "")[0]) for path in marked]
    assert any(abs(place - (50 + 396 * 32 / 40)) < 0.1 for place in places)
    assert len(places) < 10


@pytest.mark.parametrize(
    "text", ["$x$", "$\\frac{1}{2}$", "</text><script>", "a & b", "a\nb", "\x1b[31m", "\udc80", ""]
)
def test_a_text_is_no_formula_and_no_markup(text: str) -> None:
    drawing = svg(chart(x=text, y=text, mark=text))
    shown = text.replace("\n", " ").replace("\x1b", " ").replace("\udc80", "?")
    assert "<script" not in drawing
    if shown:
        assert texts(chart(x=text, y=text, mark=text)).count(shown) == 3


def test_a_drawing_refers_to_nothing() -> None:
    drawing = svg(chart())
    root = ElementTree.fromstring(drawing)
    assert {element.tag for element in root.iter()} == {"svg", "path", "text", "title"}
    for element in root.iter():
        assert not set(element.attrib) & {"id", "style", "href", "clip-path", "xmlns"}
    assert not re.search(r"url\(|https?:|matplotlib", drawing)


def test_the_same_chart_gives_the_same_bytes_whatever_the_settings_of_matplotlib() -> None:
    before = dict(matplotlib.rcParams)
    first = svg(chart())
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9, "svg.fonttype": "path", "axes.grid": True}):
        assert svg(chart()) == first


def test_matplotlib_is_imported_only_for_a_chart() -> None:
    code = """
import json, sys
from zsavs.report.blocks import Chart, Curve, Page, Paragraph, Section
from zsavs.report.render import render
def loaded(): return [name for name in ("matplotlib", "matplotlib.pyplot") if name in sys.modules]
seen = []
for block in (Paragraph("a"), Chart([Curve("a", [(0.1, 0.2)])], "x", "y", (0.5, "m"))):
    render(Page("t", "s", [Section("x", [block])]), "html")
    seen.append(loaded())
print(json.dumps(seen))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], ["matplotlib"]]
