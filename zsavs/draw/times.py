"""When each source sounds: a line for each, with a bar for each span of time, over the axis of the waveform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from zsavs.draw.colours import GREY, INK, PAPER, TRACK, Rgb, ink_on
from zsavs.draw.labels import rounded
from zsavs.draw.text import Line, cap_height, set_line

__all__ = ["SourceTimes", "bars_height", "draw_bars"]

#: Lines at most; of more sources the last line says how many are left out.
_MOST = 6
#: A span so short that it would be less wide is still seen.
_NARROWEST = 3


class SourceTimes(NamedTuple):
    """When a source sounds.

    Args:
        label: its name.
        spans: on and off in seconds.
        colours: of its masks; none where nothing in the image answers to it.
    """

    label: str
    spans: Sequence[tuple[float, float]]
    colours: Sequence[Rgb] = ()


def bars_height(count: int, size: int) -> int:
    """Pixels that the lines of ``count`` sources take, with a gap below, at a type size of ``size``; 0 for none."""
    return min(count, _MOST) * _line_height(size) + (round(0.25 * size) if count else 0)


def draw_bars(image: Image.Image, top: int, sources: Sequence[SourceTimes], duration_s: float, size: int) -> None:
    """Draw the lines over the whole width of an RGB image, from the row ``top`` on, ``bars_height`` high.

    Args:
        image: what is drawn on; its width is the whole duration.
        top: the first row.
        sources: in the order of their lines.
        duration_s: of the audio clip; what lies beyond it is cut off.
        size: type size of the labels.
    """
    shown = sources if len(sources) <= _MOST else sources[: _MOST - 1]
    for source in shown:
        _draw_line(image, top, source, duration_s, size)
        top += _line_height(size)
    if len(shown) < len(sources):
        words = set_line(f"and {len(sources) - len(shown)} more", size, image.width)
        words.draw(image, 0, top + (_bar_height(size) + cap_height(size)) // 2, INK)


def _line_height(size: int) -> int:
    return _bar_height(size) + max(2, size // 4)


def _bar_height(size: int) -> int:
    return cap_height(size) + 2 * max(3, round(0.3 * size))


def _draw_line(image: Image.Image, top: int, source: SourceTimes, duration_s: float, size: int) -> None:
    """A track, the bars on it in equal stripes of the source's colours, and its label where there is room."""
    width, height = image.width, _bar_height(size)
    image.paste(TRACK, (0, top), Image.fromarray(rounded(width, height, 3)))
    inks = list(source.colours) or [GREY]
    stripes = np.array(inks, np.uint8)[np.arange(height) * len(inks) // height]
    bars = []
    for on, off in source.spans:
        left, right = (round(min(max(second / duration_s, 0.0), 1.0) * width) for second in (on, off))
        left = min(left, width - _NARROWEST)
        right = max(right, left + _NARROWEST)
        fill = Image.fromarray(np.repeat(stripes[:, None], right - left, axis=1))
        image.paste(fill, (left, top), Image.fromarray(rounded(right - left, height, min(3, (right - left) / 2))))
        bars.append((left, right))
    _draw_label(image, top, set_line(source.label, size, width // 3), bars, inks)


def _draw_label(image: Image.Image, top: int, line: Line, bars: Sequence[tuple[int, int]], inks: Sequence[Rgb]) -> None:
    """The label in the first bar that holds it, else in the first gap, else on a plate over the bars' upper part."""
    height, side = _bar_height(line.size), max(4, line.size // 3)
    baseline = top + (height + cap_height(line.size)) // 2
    room = line.width + 2 * side
    within = next((left for left, right in bars if right - left >= room), None)
    if within is not None and len(inks) == 1:
        line.draw(image, within + side, baseline, ink_on(inks[0]))
        return
    ends = [0, *(right for _, right in sorted(bars))]
    begins = [*(left for left, _ in sorted(bars)), image.width]
    gaps = [end for end, begin in zip(ends, begins, strict=True) if begin - end >= room]
    # Behind the first bar rather than before it, as a name is looked for where its sound begins.
    left = next((gap for gap in gaps if gap), gaps[0] if gaps else 0)
    if not gaps:
        plate = rounded(room, cap_height(line.size) + 5, 3)
        image.paste(PAPER, (left, top), Image.fromarray((plate * 0.9).astype(np.uint8)))
        baseline = top + cap_height(line.size) + 2
    line.draw(image, left + side, baseline, INK)
