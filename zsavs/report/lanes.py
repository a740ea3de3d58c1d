"""Lanes: what sounds when, a row for each source under the waveform of the sound; data for the templates."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.draw.audio import time_ticks
from zsavs.draw.colours import GREY, Rgb, ink_on

__all__ = ["Source", "hex_of", "lane", "ticks", "wave_path"]

#: Times on the axis, at most; there is room for so many on a phone.
_TICKS = 5
#: Height of the waveform's drawing, in units of its own.
_WAVE_HEIGHT = 100


@dataclass(frozen=True)
class Source:
    """What sounds in a video, and its lane.

    Args:
        label: its name.
        sounds: when it sounds, on and off in seconds from the start of the original video.
        told: the same in words.
        colour: of its mask; None for what was heard and is not in view.
        seen: when it is in view.
        score: how sure we are of it at best, in [0, 1]; None where that is not known.
        crop: a PNG file that shows it, or b"".
        crop_s: when it looks like that, in seconds.
    """

    label: str
    sounds: Sequence[tuple[float, float]]
    told: str = ""
    colour: Rgb | None = None
    seen: Sequence[tuple[float, float]] = ()
    score: float | None = None
    crop: bytes = b""
    crop_s: float = 0.0


def lane(source: Source, span_s: tuple[float, float]) -> dict[str, Any]:
    """What the template needs of a source."""
    colour = GREY if source.colour is None else source.colour
    return {
        "source": source,
        "in_view": source.colour is not None,
        "colour": hex_of(colour),
        "ink": hex_of(ink_on(colour)),
        "sounds": _places(source.sounds, span_s),
        "seen": _places(source.seen, span_s),
        "image": f"data:image/png;base64,{base64.b64encode(source.crop).decode()}" if source.crop else "",
    }


def hex_of(colour: Rgb) -> str:
    """A colour as CSS has it: #f0328a."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _places(spans: Sequence[tuple[float, float]], span_s: tuple[float, float]) -> list[dict[str, float]]:
    """Spans of time with their place on the lane in percent; those outside of the video are left out."""
    start, end = span_s
    places = []
    for on, off in spans:
        first, last = max(on, start), min(off, end)
        if first < last:
            left, width = 100 * (first - start) / (end - start), 100 * (last - first) / (end - start)
            places.append({"on": round(on, 3), "off": round(off, 3), "left": round(left, 3), "width": round(width, 3)})
    return places


def ticks(span_s: tuple[float, float]) -> list[dict[str, Any]]:
    """A few times along the axis, with their place in percent."""
    start, end = span_s
    found, unit = time_ticks(end, max(1, round(_TICKS * end / (end - start))))
    return [
        {"left": round(100 * (seconds - start) / (end - start), 3), "label": f"{label} s" if unit == "s" else label}
        for seconds, label in found
        if start <= seconds <= end
    ]


def wave_path(wave: NDArray[np.float32] | None) -> str:
    """The outline of the waveform as the data of an SVG path, (N, 100) units large; "" without sound."""
    if wave is None or not wave.size:
        return ""
    scale = (_WAVE_HEIGHT / 2 - 1) / max(float(np.abs(wave).max()), 0.03)
    low, high = _WAVE_HEIGHT / 2 - wave * scale
    upper = [f"{x} {y:.1f}" for x, y in enumerate(np.minimum(high, _WAVE_HEIGHT / 2 - 0.8))]
    lower = [f"{x} {y:.1f}" for x, y in enumerate(np.maximum(low, _WAVE_HEIGHT / 2 + 0.8))]
    return f"M{'L'.join([*upper, *reversed(lower)])}Z"
