"""A line chart as inline SVG."""

from __future__ import annotations

from html import escape

from zsavs.draw import palette
from zsavs.report.blocks import Chart, Curve

__all__ = ["colour", "dashes", "svg"]

_WIDTH, _HEIGHT = 520, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 22, 46
#: Lines beyond the first eight repeat hues that are close to each other, so they differ in their dashes, too.
_DASHES = ("", "7 4", "2 3", "9 3 2 3")
_SOLID = 8
#: Steps of the vertical axis by where it ends, in tenths.
_STEPS = {1: 5, 2: 4, 3: 3, 4: 4, 5: 5, 6: 3, 8: 4, 10: 5}


def colour(i: int) -> str:
    """The colour of the i-th curve, as "#rrggbb"."""
    return "#{:02x}{:02x}{:02x}".format(*palette(i + 1)[i])


def dashes(i: int) -> str:
    """The dash pattern of the i-th curve; "" for a solid line."""
    return _DASHES[i // _SOLID % len(_DASHES)]


def svg(chart: Chart) -> str:
    """The chart as an SVG element, 520 x 320 units, that scales with the page.

    Pale colours get a thin dark edge, which keeps them visible on white and in print.
    """
    values = [y for curve in chart.curves for _, y in curve.points if y is not None]
    top = _ceiling(max(values, default=1))
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(chart.y)} against {escape(chart.x)}">'
    ]
    steps = _STEPS[round(top * 10)]
    for k in range(steps + 1):
        y = _y(top * k / steps, top)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y}" dy="0.35em" text-anchor="end">{100 * top * k / steps:g}</text>')
    for k in range(6):
        x = _x(k / 5)
        parts.append(f'<text x="{x}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{k / 5:g}</text>')
    at, label = chart.mark
    parts.append(f'<line class="mark" x1="{_x(at)}" x2="{_x(at)}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
    parts.append(f'<text x="{_x(at)}" y="{_TOP - 8}" text-anchor="middle">{escape(label)}</text>')
    across, down = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(f'<text x="{across:g}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(chart.x)}</text>')
    parts.append(f'<text transform="translate(14 {down:g}) rotate(-90)" text-anchor="middle">{escape(chart.y)}</text>')
    for i, curve in enumerate(chart.curves):
        path = _path(curve, top)
        dash = f' stroke-dasharray="{dashes(i)}"' if dashes(i) else ""
        parts.append(f'<path class="edge" d="{path}"{dash}/>')
        parts.append(
            f'<path class="curve" d="{path}" stroke="{colour(i)}"{dash}><title>{escape(curve.name)}</title></path>'
        )
    return "".join((*parts, "</svg>"))


def _ceiling(value: float) -> float:
    """The end of the vertical axis: the next tenth that divides into round steps, at most 1."""
    return next((tenths for tenths in _STEPS if tenths >= round(value * 10, 6)), 10) / 10


def _x(value: float) -> str:
    return f"{_LEFT + value * (_WIDTH - _LEFT - _RIGHT):.1f}"


def _y(value: float, top: float) -> str:
    value = min(max(value, 0), top)
    return f"{_HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM):.1f}"


def _path(curve: Curve, top: float) -> str:
    """Straight pieces from point to point; a point on its own becomes a dot."""
    path, pen = "", "M"
    for x, y in curve.points:
        if y is None:
            pen = "M"
            continue
        path += f"{pen}{_x(x)} {_y(y, top)}" + ("h0" if pen == "M" else "")
        pen = "L"
    return path
