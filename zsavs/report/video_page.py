"""The page of a video: the player, and under it the sources, each with a lane that lights up while it sounds."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from zsavs.draw.audio import time_ticks
from zsavs.draw.colours import GREY, Rgb, ink_on
from zsavs.draw.video import NOTHING
from zsavs.report.content import models_section
from zsavs.report.render import environment
from zsavs.report.values import line

__all__ = ["Source", "VideoPage", "render_video"]

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


@dataclass(frozen=True)
class VideoPage:
    """What stands on the page of a video. All text is raw.

    Args:
        title: its heading.
        video: the annotated video, as a path relative to the page.
        shown_hw: height and width of the part of the video that the page shows, its top; the timeline below it is
            drawn by the page itself.
        span_s: from when to when the annotated video shows the original, in seconds.
        sources: what sounds, in the order of the lanes.
        wave: (2, N) lowest and highest value of the sound in N equal spans of time, or None.
        notes: what has to be known, a sentence each.
        models: {strategy: {role: weight card or class name}}.
        files: what lies beside the page: a path relative to it, and what it is.
    """

    title: str
    video: str
    shown_hw: tuple[int, int]
    span_s: tuple[float, float]
    sources: Sequence[Source]
    wave: NDArray[np.float32] | None = None
    notes: Sequence[str] = ()
    models: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[tuple[str, str]] = ()


def render_video(page: VideoPage) -> str:
    """The page as HTML: one file that fetches nothing but the video beside it; the same page gives the same text.

    It has a small script, the only one that its policy lets run; without it the lanes are still drawn.
    """
    templates = environment()
    assert templates.loader is not None
    script = templates.loader.get_source(templates, "video.js")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return templates.get_template("video.html.j2").render(
        page=page,
        summary=_summary(page),
        lanes=[_lane(source, page.span_s) for source in page.sources],
        wave=_wave_path(page.wave),
        ticks=_ticks(page.span_s),
        models=models_section(page.models),
        nothing=NOTHING,
        script=Markup(script),
        script_hash=digest,
    )


def _summary(page: VideoPage) -> str:
    """What sounds in the video, in a sentence or two."""
    found = [line(source.label) for source in page.sources if source.colour is not None and source.sounds]
    silent = [line(source.label) for source in page.sources if source.colour is not None and not source.sounds]
    heard = [line(source.label) for source in page.sources if source.colour is None]
    told = [f"Found and followed: {_listed(found)}." if found else "Nothing in view is sounding."]
    told += [f"In view and silent: {_listed(silent)}."] if silent else []
    told += [f"Heard and not in view: {_listed(heard)}."] if heard else []
    return " ".join(told)


def _listed(words: Sequence[str]) -> str:
    """Words as English lists them: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _lane(source: Source, span_s: tuple[float, float]) -> dict[str, Any]:
    """What the template needs of a source."""
    colour = GREY if source.colour is None else source.colour
    return {
        "source": source,
        "in_view": source.colour is not None,
        "colour": _hex(colour),
        "ink": _hex(ink_on(colour)),
        "sounds": _places(source.sounds, span_s),
        "seen": _places(source.seen, span_s),
        "image": f"data:image/png;base64,{base64.b64encode(source.crop).decode()}" if source.crop else "",
    }


def _hex(colour: Rgb) -> str:
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


def _ticks(span_s: tuple[float, float]) -> list[dict[str, Any]]:
    """A few times along the axis, with their place in percent."""
    start, end = span_s
    ticks, unit = time_ticks(end, max(1, round(_TICKS * end / (end - start))))
    return [
        {"left": round(100 * (seconds - start) / (end - start), 3), "label": f"{label} s" if unit == "s" else label}
        for seconds, label in ticks
        if start <= seconds <= end
    ]


def _wave_path(wave: NDArray[np.float32] | None) -> str:
    """The outline of the waveform as the data of an SVG path, (N, 100) units large; "" without sound."""
    if wave is None or not wave.size:
        return ""
    scale = (_WAVE_HEIGHT / 2 - 1) / max(float(np.abs(wave).max()), 0.03)
    low, high = _WAVE_HEIGHT / 2 - wave * scale
    upper = [f"{x} {y:.1f}" for x, y in enumerate(np.minimum(high, _WAVE_HEIGHT / 2 - 0.8))]
    lower = [f"{x} {y:.1f}" for x, y in enumerate(np.maximum(low, _WAVE_HEIGHT / 2 + 0.8))]
    return f"M{'L'.join([*upper, *reversed(lower)])}Z"
