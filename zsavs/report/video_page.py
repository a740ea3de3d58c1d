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

from zsavs.draw.video import NOTHING
from zsavs.report.content import models_section
from zsavs.report.lanes import Source, lane, ticks, wave_path
from zsavs.report.render import environment
from zsavs.report.values import line

__all__ = ["Source", "VideoPage", "render_video"]


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
        lanes=[lane(source, page.span_s) for source in page.sources],
        wave=wave_path(page.wave),
        ticks=ticks(page.span_s),
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
