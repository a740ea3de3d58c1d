"""Line charts as inline SVG, drawn by matplotlib."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from zsavs.draw import palette
from zsavs.report.blocks import Chart, Curve
from zsavs.report.escaping import visible
from zsavs.report.inline_svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CurveStyle", "curve_styles", "svg"]

#: Of the drawing and of the axes in it, in pixels; the text is as large as the page's where the drawing is as wide.
_SIZE = (460, 300)
_AXES = (50, 44, 396, 226)  # left, bottom, width, height
_DPI = 72  # one point is one pixel
_STYLE = {"svg.fonttype": "none", "lines.scale_dashes": False, "font.size": 12.5, "path.simplify": False}

_DASHES: tuple[tuple[float, ...], ...] = ((), (8, 4), (2, 3.5), (10, 3.5, 2, 3.5))
_MARKERS: tuple[tuple[tuple[float, float], ...], ...] = (
    tuple((math.cos(k * math.pi / 8), math.sin(k * math.pi / 8)) for k in range(16)),  # circle
    ((-1, -1), (1, -1), (1, 1), (-1, 1)),  # square
    ((-1, -0.9), (1, -0.9), (0, 1)),  # triangle
    ((0, -1), (0.8, 0), (0, 1), (-0.8, 0)),  # diamond
    ((-1, 0.9), (1, 0.9), (0, -1)),  # triangle that points down
)
_RADIUS = 3.4


@dataclass(frozen=True)
class CurveStyle:
    """How a curve looks; no two of twenty share dashes and marker, for print and for colour-blind readers.

    Args:
        colour: "#rrggbb".
        dashes: lengths of strokes and gaps in turn, in pixels; empty for a solid line.
        marker: corners of the polygon on each point, in [-1, 1], y upwards.
    """

    colour: str
    dashes: tuple[float, ...]
    marker: tuple[tuple[float, float], ...]

    def outline(self, x: float, y: float) -> str:
        """The marker around a place in pixels, y downwards, as the data of an SVG path."""
        return "M" + "L".join(f"{x + _RADIUS * u:.1f} {y - _RADIUS * v:.1f}" for u, v in self.marker) + "Z"


def curve_styles(n: int) -> list[CurveStyle]:
    """The looks of ``n`` curves, in the colours of :func:`zsavs.draw.palette`."""
    colours = ["#{:02x}{:02x}{:02x}".format(*rgb) for rgb in palette(n)]
    return [CurveStyle(c, _DASHES[i % len(_DASHES)], _MARKERS[i % len(_MARKERS)]) for i, c in enumerate(colours)]


def svg(chart: Chart) -> Markup:
    """The chart as an SVG element that scales with the page and takes its colours of text and rules.

    Under each curve lies a thin edge in the page's ink, which keeps pale colours visible on white and dark ones on
    black. The legend is not part of it: the page sets it as text that wraps.
    """
    # Matplotlib takes a while to import, and a page without a chart needs none of it.
    from matplotlib import style
    from matplotlib.figure import Figure

    file = io.StringIO()
    with style.context(["default", _STYLE]):  # whatever the user's own settings are
        figure = Figure((_SIZE[0] / _DPI, _SIZE[1] / _DPI), dpi=_DPI)
        left, bottom, width, height = _AXES
        axes = figure.add_axes((left / _SIZE[0], bottom / _SIZE[1], width / _SIZE[0], height / _SIZE[1]))
        _draw(axes, chart)
        figure.savefig(file, format="svg", metadata={"Date": None})
    label = f"{visible(chart.y)} against {visible(chart.x)}"
    return inline_svg(file.getvalue(), label, {f"curve-{i}": curve.name for i, curve in enumerate(chart.curves)})


def _draw(axes: Axes, chart: Chart) -> None:
    """Axes, grid, mark and curves; the group names (gid) are the classes of ``page.css``."""
    from matplotlib.ticker import MaxNLocator

    shares = [y for curve in chart.curves for _, y in curve.points if y is not None]
    ticks = MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)).tick_values(0, 100 * min(max(shares, default=1), 1) or 1)
    axes.set(xlim=(0, 1), ylim=(0, ticks[-1]), yticks=ticks, xticks=[k / 5 for k in range(6)])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    # Braces and dollar signs of a name are text and no formula.
    axes.set_xlabel(visible(chart.x), parse_math=False)
    axes.set_ylabel(visible(chart.y), parse_math=False)
    axes.tick_params(length=0, pad=6)
    axes.grid(axis="y", gid="grid", clip_on=False)
    axes.patch.set_visible(False)
    axes.figure.patch.set_visible(False)
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.spines["bottom"].set_gid("axis")
    at, name = chart.mark
    axes.axvline(at, gid="mark", clip_on=False)
    axes.annotate(
        visible(name), (at, 1), (0, 6), "axes fraction", "offset points", ha="center", parse_math=False, clip_on=False
    )
    for i, (curve, look) in enumerate(zip(chart.curves, curve_styles(len(chart.curves)), strict=True)):
        x, y = [x for x, _ in curve.points], _percent(curve)
        dashes = (0, look.dashes) if look.dashes else "solid"
        axes.plot(x, y, linestyle=dashes, gid="edge", clip_on=False)
        axes.plot(x, y, color=look.colour, linestyle=dashes, gid=f"curve-{i}", clip_on=False)
        marked = _marked(y, i)
        axes.plot(
            [x[k] for k in marked],
            [y[k] for k in marked],
            marker=[*look.marker, look.marker[0]],
            markersize=2 * _RADIUS,
            color=look.colour,
            linestyle="",
            gid="point",
            clip_on=False,
        )


def _percent(curve: Curve) -> list[float]:
    """The heights of a curve in percent, within the axes; NaN where there is none."""
    return [math.nan if y is None else 100 * min(max(y, 0), 1) for _, y in curve.points]


def _marked(heights: list[float], i: int) -> list[int]:
    """The points of the i-th curve that get a marker: those on their own, and some of the others.

    Each curve starts at another point, so that markers of curves that coincide lie beside each other.
    """
    step = max(1, len(heights) // 6)
    gaps = [math.isnan(y) for y in (math.nan, *heights, math.nan)]
    alone = {k for k in range(len(heights)) if gaps[k] and gaps[k + 2]}
    return [k for k in range(len(heights)) if not gaps[k + 1] and (k in alone or (k - i) % step == 0)]
