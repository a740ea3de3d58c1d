"""Answers as pieces of HTML, through the templates of :mod:`zsavs.report`; nothing in them is fetched."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from zsavs.composition import Composition
from zsavs.draw.audio import envelope
from zsavs.draw.colours import INK, Rgb, ink_on
from zsavs.draw.masks import scaled_overlay
from zsavs.report.lanes import Source, hex_of, lane, ticks, wave_path
from zsavs.report.render import environment
from zsavs.temporal import display
from zsavs.types import when
from zsavs.webapp.answers import Answer, ImageAnswer, Region, VideoAnswer
from zsavs.webapp.purposes import strategy_purpose
from zsavs.webapp.reasons import Reason

__all__ = ["heard", "message", "picture", "side_by_side", "style", "why"]

_WAVE_COLUMNS = 480
#: The longer side of an image, and of one among several, in pixels.
_LARGE, _SMALL = 720, 480


def _macro(name: str, **values: Any) -> str:
    return str(getattr(environment().get_template("app.html.j2").module, name)(**values)).strip()


def style() -> str:
    """The CSS of all pieces."""
    templates = environment()
    assert templates.loader is not None
    lanes, own = (templates.loader.get_source(templates, name)[0] for name in ("lanes.css", "app.css"))
    return f".zs {{\n{lanes}\n}}\n{own}"


def message(text: str, kind: str = "info") -> str:
    """A line that is read out when it appears: "info", "busy" or "error"."""
    return _macro("message", text=text, kind=kind)


def picture(answer: Answer) -> str:
    """The image with what sounds marked, and under it a button for each region; of a video the buttons alone."""
    regions, image, ratio = answer.regions(), "", 1.0
    if isinstance(answer, ImageAnswer):
        image = _jpeg(_overlay(answer, answer.strategy, answer.shown, _LARGE))
        height, width = answer.looked_at.sample.size_hw
        ratio = width / height
    return _macro(
        "picture",
        image=image,
        ratio=f"{ratio:.4f}",
        alt=_alt(regions),
        regions=[(region, hex_of(region.colour), _ink(region.colour)) for region in regions],
        summary=_summary(answer, regions),
    )


def why(reason: Reason | None, key: int | None = None, hint: str = "") -> str:
    """Why a region was chosen; a hint where none is."""
    return _macro("why", reason=reason, key=key, hint=hint)


def heard(answer: Answer) -> str:
    """The timeline: the waveform, and a lane with its score for each label that was heard."""
    if isinstance(answer, VideoAnswer):
        sources, wave, span = _of_video(answer)
    else:
        sources, wave, span = _of_image(answer)
    return _macro(
        "heard",
        path=wave_path(wave),
        wave=wave,
        lanes=[lane(source, span) for source in sources],
        ticks=ticks(span),
    )


def side_by_side(answer: Answer) -> str:
    """The answers of all strategies to one image, and why one has none; "" where there is but one."""
    if not isinstance(answer, ImageAnswer) or len(answer.considered) + len(answer.failed) < 2:
        return ""
    figures = []
    for strategy, considered in answer.considered.items():
        composed = answer.composed(strategy)
        result = considered.result(composed)
        found = [f"{phrase} {score:.2f}" for phrase, score in zip(result.phrases, result.scores, strict=True)]
        query = considered.query
        named = [f"{phrase} {weight:.2f}" for phrase, weight in zip(query.phrases, query.weights, strict=True)]
        figures.append(
            {
                "strategy": strategy,
                "purpose": strategy_purpose(strategy),
                "image": _jpeg(_overlay(answer, strategy, composed, _SMALL)),
                "alt": f"{strategy}: {', '.join(found) or 'nothing'} marked",
                "found": ", ".join(found) or "nothing in view",
                "heard": ", ".join(named) or "nothing it knows",
                "seconds": sum(considered.timings.values()),
            }
        )
    return _macro("side_by_side", figures=figures, failed=answer.failed)


def _overlay(answer: ImageAnswer, strategy: str, composed: Composition, side: int) -> Image.Image:
    """The image as a strategy marks it, its longer side so many pixels: type is as crisp as the page's."""
    considered, colours = answer.considered[strategy], answer.colours[strategy]
    sources, image = considered.proposals.sources, considered.sample.image
    height, width = considered.sample.size_hw
    scale = side / max(height, width)
    return scaled_overlay(
        image,
        composed.masks,
        [considered.query.phrases[int(sources[row])] for row in composed.rows],
        considered.proposals.scores[composed.rows],
        composed.boxes_xyxy,
        (max(1, round(width * scale)), max(1, round(height * scale))),
        colours=[colours[row] for row in composed.rows.tolist()],
    )


def _ink(colour: Rgb) -> str:
    """Black or white, whichever is easier to read on a colour."""
    return "#000" if ink_on(colour) == INK else "#fff"


def _jpeg(image: Image.Image) -> str:
    """An image as an address that holds it."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _alt(regions: Sequence[Region]) -> str:
    named = ", ".join(f"{region.label} {region.score:.2f}" for region in regions)
    return f"the image, with what sounds marked in it: {named}" if named else "the image, in which nothing is marked"


def _summary(answer: Answer, regions: Sequence[Region]) -> str:
    """What there is to see, in a sentence."""
    asked = f"{answer.strategy}, preset {answer.preset}"
    if not regions:
        hidden = answer.count_removed or answer.thresholds != type(answer.thresholds)()
        said = "Nothing is left by these thresholds" if hidden else "Nothing in view is sounding"
        return f"{said}. ({asked})"
    count = len(regions)
    what = "source" if isinstance(answer, VideoAnswer) else "region"
    return f"{count} {what}{'s'[: count != 1]} marked. ({asked})"


def _of_image(answer: ImageAnswer) -> tuple[list[Source], np.ndarray[Any, np.dtype[np.float32]], tuple[float, float]]:
    """What was heard with an image: sources, waveform, and from when to when."""
    query, clip = answer.looked_at.query, answer.looked_at.sample.audio
    colours: dict[str, Rgb] = {}
    for region in answer.regions():
        colours.setdefault(region.label, region.colour)
    times = query.times or ((),) * len(query)
    sources = []
    for phrase, weight, spans in zip(query.phrases, query.weights, times, strict=True):
        told = f"sounds{when(spans)}" if spans else "sounds; when is not known"
        told += "" if phrase in colours else "; not marked in the image"
        sources.append(Source(phrase, spans, told, colours.get(phrase), (), float(weight)))
    columns = max(2, min(_WAVE_COLUMNS, clip.waveform.shape[1]))
    wave = np.asarray(envelope(clip, columns), np.float32)
    return sources, wave, (0.0, max(clip.duration_s, 1e-3))


def _of_video(answer: VideoAnswer) -> tuple[list[Source], None, tuple[float, float]]:
    """What was heard in a video; its waveform stands under the annotated video."""
    result = answer.result
    labels, colours = display.names(result), display.colours(result)
    lanes = {lane.label: lane for lane in display.lanes(result)}
    sources = [
        Source(
            labels[track.id],
            track.times,
            f"sounds{when(track.times)}" if track.times else "in view, and does not sound",
            colours[track.id],
            lanes[labels[track.id]].seen,
            float(track.scores.max()),
        )
        for track in result.tracks
    ]
    for name, weight, times in display.unseen(result):
        told = f"not marked in view; sounds{when(times)}" if times else "not marked in view"
        sources.append(Source(name, times, told, None, (), weight))
    start, end = display.shown_span(result)
    return sources, None, (start, max(end, start + 1e-3))
