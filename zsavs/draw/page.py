"""The card: the frame with what was found in it, the sound, and what was heard, on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs.draw.audio import audio_strip
from zsavs.draw.colours import GREY, INK, PAPER, QUIET, TRACK, Rgb, palette
from zsavs.draw.labels import rounded
from zsavs.draw.masks import brief, check_regions, scaled_overlay
from zsavs.draw.text import cap_height, set_line
from zsavs.draw.times import SourceTimes, bars_height
from zsavs.errors import AudioError, ContractError
from zsavs.media.arrays import image_size
from zsavs.media.audio_clip import AudioClip

__all__ = ["card"]

_MARGIN, _GAP = 48, 40
_TITLE, _BODY, _SMALL = 30, 21, 17
#: A frame fitted into the first box and at least so wide fills the page, with the sound and what was heard below.
_WIDE_BOX, _WIDE_FROM = (1280, 720), 920
#: Any other frame is fitted into this box, what was heard and the sound stand to its right: so wide in all.
_TALL_BOX, _TALL_CONTENT = (760, 800), 1216
_STRIP_HEIGHT = 270
_HEADING, _ROW, _NOTE, _BAR = 38, 49, 27, 9

_NOTHING = "nothing in view is sounding"


def card(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    phrases: Sequence[str],
    scores: Sequence[float] | NDArray[np.float32],
    boxes: NDArray[np.float32] | None,
    clip: AudioClip,
    heard: Sequence[tuple[str, float]],
    title: str = "",
    times: Sequence[Sequence[tuple[float, float]]] | None = None,
) -> Image.Image:
    """One page that shows a result: frame with overlay, waveform and spectrogram, and what was heard.

    Each phrase that was heard has a bar in the colour of its mask (in several colours if it has several masks), grey
    where nothing in the image answers to it. The page is 1016 to 1376 pixels wide, whatever the frame; beside a
    tall frame the sound stands to the right of it instead of beneath. Where it is known when they sound, there are
    bars in the same colours under the waveform, a line for each phrase.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: (N, H, W) bool; N = 0 puts "nothing in view is sounding" on the card.
        phrases: N labels in any script.
        scores: N finite numbers, or none at all.
        boxes: (N, 4) absolute pixels x0, y0, x1, y1, or None.
        clip: the sound, of any length.
        heard: phrases with weights in [0, 1]; drawn heaviest first.
        title: one line above the frame; "" for none.
        times: for each row of ``heard`` when it sounds, on and off in seconds; an empty row where that is not known.

    Returns:
        RGB image.

    Raises:
        ImageError: ``image`` is not an image.
        AudioError: ``clip`` is not an :class:`~zsavs.types.AudioClip`.
        ContractError: shapes disagree, or a weight or a time is not a finite number.
    """
    masks, _ = check_regions(masks, phrases, scores, boxes, image_size(image))
    if not isinstance(clip, AudioClip):
        raise AudioError(f"clip: expected a zsavs.AudioClip, got {type(clip).__name__}.")
    rows = _heaviest_first(heard, times)
    colours = _colours(phrases)
    sources = [SourceTimes(row.phrase, row.spans, colours.get(_key(row.phrase), ())) for row in rows if row.spans]
    bars = bars_height(len(sources), _SMALL)

    wide = _fit(image, _WIDE_BOX)[0] >= _WIDE_FROM
    size = _fit(image, _WIDE_BOX if wide else _TALL_BOX)
    frame = scaled_overlay(image, masks, phrases, scores, boxes, size)
    content = size[0] if wide else _TALL_CONTENT
    top = _MARGIN + (cap_height(_TITLE) + 28 if title else 0)
    end = _MARGIN + content
    if wide:  # beneath the frame: the sound, and to its right what was heard
        sound_top = heard_top = top + size[1] + _GAP
        bottom = heard_bottom = sound_top + _HEADING + _STRIP_HEIGHT + bars
        sound_left, sound_end = _MARGIN, _MARGIN + round(0.64 * content)
        heard_left = sound_end + _GAP
    else:  # to the right of the frame: what was heard, and beneath it the sound
        sound_left = heard_left = _MARGIN + size[0] + _GAP
        sound_end, bottom = end, top + max(size[1], 2 * _STRIP_HEIGHT + bars)
        sound_top, heard_top = bottom - round(0.42 * (bottom - bars - top)) - bars - _HEADING, top
        heard_bottom = sound_top - _GAP

    page = Image.new("RGB", (content + 2 * _MARGIN, bottom + _MARGIN), PAPER)
    if title:
        set_line(title, _TITLE, content).draw(page, _MARGIN, _MARGIN + cap_height(_TITLE), INK)
    # A hairline, so that an image on a white ground does not run into the page.
    page.paste(TRACK, (_MARGIN - 1, top - 1, _MARGIN + size[0] + 1, top + size[1] + 1))
    page.paste(frame, (_MARGIN, top))
    _heading(page, sound_left, sound_top, f"Sound, {_duration(clip.duration_s)}")
    height = bottom - sound_top - _HEADING - bars
    strip = audio_strip(clip, sound_end - sound_left, height, _SMALL, sources)
    page.paste(strip, (sound_left, sound_top + _HEADING))
    _draw_heard(page, (heard_left, heard_top, end, heard_bottom), rows, colours)
    return page


class _Heard(NamedTuple):
    """A row of what was heard."""

    phrase: str
    weight: float
    spans: Sequence[tuple[float, float]]


def _heaviest_first(
    heard: Sequence[tuple[str, float]], times: Sequence[Sequence[tuple[float, float]]] | None
) -> list[_Heard]:
    """The phrases with their weights and times, checked; equal weights keep their order."""
    for row in heard:
        phrase, weight = row if isinstance(row, tuple | list) and len(row) == 2 else (None, None)
        if not isinstance(phrase, str) or not isinstance(weight, int | float | np.number) or not np.isfinite(weight):
            raise ContractError(f"heard: expected (phrase, finite weight), got {brief(row)}.")
    if times is not None and len(times) != len(heard):
        raise ContractError(f"times: expected one for each of {len(heard)} rows of heard, got {len(times)}.")
    spans = [_spans(row) for row in times] if times is not None else [()] * len(heard)
    rows = [_Heard(phrase, float(weight), row) for (phrase, weight), row in zip(heard, spans, strict=True)]
    return sorted(rows, key=lambda row: -row.weight)


def _spans(row: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """The spans of a row, checked."""
    try:
        spans = tuple((float(on), float(off)) for on, off in row)
    except (TypeError, ValueError):
        raise ContractError(f"times: expected pairs of seconds, on and off, got {brief(row)}.") from None
    if not np.isfinite(spans).all() or not all(on < off for on, off in spans):
        raise ContractError(f"times: expected finite seconds, on before off, got {brief(row)}.")
    return spans


def _colours(phrases: Sequence[str]) -> dict[str, list[Rgb]]:
    """The colours of the masks, by the key of their phrase."""
    colours: dict[str, list[Rgb]] = {}
    for phrase, colour in zip(phrases, palette(len(phrases)), strict=True):
        colours.setdefault(_key(phrase), []).append(colour)
    return colours


def _fit(image: NDArray[np.uint8], box: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the image as large as ``box`` holds it, each at least a pixel."""
    height, width = image.shape[:2]
    scale = min(box[0] / width, box[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _duration(duration_s: float) -> str:
    """Duration with three significant digits, or in minutes or hours as the time axis has them.

    >>> [_duration(seconds) for seconds in (0.05, 4.0, 120.0, 125.4, 3599.9, 3720.0)]
    ['50 ms', '4 s', '2 min', '2 min 5 s', '1 h', '1 h 2 min']
    """
    if duration_s < 0.1:
        return f"{1000 * duration_s:.3g} ms"
    if duration_s < 99.95:
        return f"{duration_s:.3g} s"
    whole = round(duration_s)
    large, small = (divmod(whole, 60), ("min", "s")) if whole < 3600 else (divmod(whole // 60, 60), ("h", "min"))
    return " ".join(f"{number} {unit}" for number, unit in zip(*(large, small), strict=True) if number)


def _heading(page: Image.Image, x: int, top: int, text: str) -> None:
    """A section's name in quiet type, its capitals starting at ``top``."""
    set_line(text, _SMALL).draw(page, x, top + cap_height(_SMALL), QUIET)


def _draw_heard(
    page: Image.Image, box: tuple[int, int, int, int], rows: Sequence[_Heard], colours: Mapping[str, Sequence[Rgb]]
) -> None:
    """A bar for each phrase that was heard, in ``box`` (x0, y0, x1, y1), as many as there is room for.

    Bars have the colours of the masks of the same phrase; without any colours there is no mask.
    """
    x0, y, x1, bottom = box
    _heading(page, x0, y, "Heard")
    y += _HEADING
    if not colours:
        note = _NOTHING
    elif not rows:
        note = "no sound was named"
    else:
        note = "grey: heard, not found in view" if any(_key(row.phrase) not in colours for row in rows) else ""
    room = bottom - y - (_NOTE if note else 0)
    shown = rows if len(rows) * _ROW <= room else rows[: max(1, (room - _NOTE) // _ROW)]
    for phrase, weight, _ in shown:
        _draw_bar(page, (x0, y, x1), phrase, min(max(weight, 0), 1), colours.get(_key(phrase), []))
        y += _ROW
    if len(shown) < len(rows):
        set_line(f"and {len(rows) - len(shown)} more", _SMALL).draw(page, x0, y + cap_height(_SMALL), QUIET)
        y += _NOTE
    if note:
        size = _SMALL if colours else _BODY
        set_line(note, size, x1 - x0).draw(page, x0, y + cap_height(size), QUIET)


def _key(phrase: str) -> str:
    """What makes two phrases the same."""
    return " ".join(phrase.casefold().split())


def _draw_bar(
    page: Image.Image, span: tuple[int, int, int], phrase: str, weight: float, colours: Sequence[Rgb]
) -> None:
    """Phrase and weight, and under them the bar, in equal stripes if there are several colours."""
    x0, top, x1 = span
    baseline = top + cap_height(_BODY)
    number = set_line(f"{weight:.2f}", _BODY)
    number.draw(page, x1 - number.width, baseline, QUIET)
    name = set_line(phrase, _BODY, x1 - x0 - number.width - 16)
    name.draw(page, x0, baseline, INK if colours else QUIET)

    top = baseline + 10
    page.paste(TRACK, (x0, top), Image.fromarray(rounded(x1 - x0, _BAR, _BAR / 2)))
    length = round(weight * (x1 - x0))
    if length:
        inks = colours or [GREY]
        bar = np.array(inks, np.uint8)[np.arange(_BAR) * len(inks) // _BAR]
        fill = Image.fromarray(np.repeat(bar[:, None], length, axis=1))
        page.paste(fill, (x0, top), Image.fromarray(rounded(length, _BAR, min(_BAR, length) / 2)))
