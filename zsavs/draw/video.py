"""The frames of an annotated video: what sounds is marked, and the sound's timeline runs beneath."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs.draw.audio import envelope, time_ticks
from zsavs.draw.colours import GREY, Rgb, blend, ink_on
from zsavs.draw.labels import rounded
from zsavs.draw.masks import overlay, scaled_overlay
from zsavs.draw.text import cap_height, set_line
from zsavs.errors import ContractError
from zsavs.media.arrays import image_size
from zsavs.media.audio_clip import AudioClip

__all__ = ["NOTHING", "Lane", "VideoCanvas"]

#: What is said where no object is marked that sounds.
NOTHING = "nothing in view is sounding"
#: A timeline longer than this shows a window of this length, in seconds, which moves with the playhead.
_WINDOW_S = 60.0
#: The playhead stands here in a window that moves, as a share of its width.
_HEAD = 0.4
#: Narrower images are enlarged by a whole number, so that their labels can be read.
_NARROWEST = 320
#: Lanes at most; of more sources the last line says how many are left out.
_MOST = 6
#: Type size for an image of area 1, and the smallest that can be read.
_SIZE, _SMALLEST = 0.023, 11
#: Names of lanes take this share of the width at most.
_NAMES = 0.26
#: A span so short that it would be less wide is still seen, in pixels.
_THIN = 2

#: The strip is dark, as what is around a video mostly is.
_GROUND: Rgb = (20, 23, 30)
_INK: Rgb = (232, 235, 241)
_QUIET: Rgb = (156, 164, 178)
_RULE: Rgb = (44, 49, 60)
_WAVE: Rgb = (126, 146, 190)


class Lane(NamedTuple):
    """A source on the timeline.

    Args:
        label: its name.
        sounds: when it sounds, on and off in seconds.
        colour: of its mask; None for what is heard and not in view.
        seen: when it is in view, on and off in seconds.
    """

    label: str
    sounds: Sequence[tuple[float, float]]
    colour: Rgb | None = None
    seen: Sequence[tuple[float, float]] = ()

    def sounds_at(self, time_s: float) -> bool:
        """Whether it sounds at a time."""
        return any(on <= time_s < off for on, off in self.sounds)


class VideoCanvas:
    """Draws the frames of one video, each with the timeline of its sound beneath.

    What the timeline shows is drawn once; a frame adds the playhead and lights up the names of what sounds. More than
    a minute is shown as a window of a minute that moves with the playhead.

    Args:
        size_hw: height and width of the images.
        clip: the sound, which starts with the video; None where it has none.
        lanes: the sources, in the order of their lanes; of more than six the last line says how many are left out.
        span_s: the part of the video that is drawn, from and to, in seconds.

    Raises:
        ContractError: the span has no length.
    """

    def __init__(
        self, size_hw: tuple[int, int], clip: AudioClip | None, lanes: Sequence[Lane], span_s: tuple[float, float]
    ) -> None:
        self._start, self._end = map(float, span_s)
        if not self._start < self._end < math.inf:
            raise ContractError(f"span_s: expected two times in seconds, the second one later, got {span_s}.")
        height, width = size_hw
        factor = math.ceil(_NARROWEST / width) if width < _NARROWEST else 1
        self._image_hw = height, width
        self._drawn_hw = height * factor, width * factor
        self._lanes, self._clip = tuple(lanes), clip
        self._shown = self._lanes if len(lanes) <= _MOST else self._lanes[: _MOST - 1]
        self._measure(*self._drawn_hw)
        self._loudest = max(float(np.abs(envelope(clip, 2048)).max()), 0.03) if clip else 1.0
        self._tile = lru_cache(maxsize=3)(self._draw_tile)
        self._status = lru_cache(maxsize=16)(self._draw_status)
        self._left = self._draw_left()
        self._names = [(self._name(lane, False), self._name(lane, True)) for lane in self._shown]

    def _measure(self, height: int, width: int) -> None:
        """Places in the strip, in pixels."""
        self._size = size = max(_SMALLEST, round(_SIZE * math.sqrt(height * width)))
        self._margin = size
        rows = len(self._shown) + (len(self._shown) < len(self._lanes))
        widest = max((set_line(lane.label, size).width for lane in self._shown), default=0)
        names = min(widest + round(1.6 * size), round(_NAMES * width)) if rows else 0
        self._x0, self._x1 = self._margin + names, max(self._margin + names + 8, width - self._margin)
        self._lane_height = cap_height(size) + 2 * round(0.45 * size)
        self._wave_top = round(2.3 * size)
        self._lanes_top = self._wave_top + round(2.8 * size) + round(0.5 * size)
        self._axis_top = self._lanes_top + rows * (self._lane_height + 2) + round(0.2 * size)
        strip = self._axis_top + round(2.1 * size)
        self.size_hw = height + strip + (height + strip) % 2, width + width % 2
        self._strip_hw = self.size_hw[0] - height, self.size_hw[1]

    #: Height and width of what :meth:`draw` gives, even numbers, as codecs want them.
    size_hw: tuple[int, int]

    def draw(
        self,
        image: NDArray[np.uint8],
        time_s: float,
        masks: NDArray[np.bool_],
        labels: Sequence[str],
        scores: Sequence[float] | NDArray[np.float32],
        colours: Sequence[Rgb],
        silent: Sequence[bool] = (),
    ) -> NDArray[np.uint8]:
        """One frame: the image with what sounds, and the timeline at its time.

        Args:
            image: (H, W, 3) uint8 RGB, of the canvas' size.
            time_s: when it is shown, in seconds from the start of the video.
            masks: (N, H, W) bool.
            labels: N labels; a lane of the same label is that of the mask.
            scores: N numbers in [0, 1].
            colours: N colours.
            silent: for each mask, whether it does not sound; it is then outlined and not tinted. All sound if left out.

        Returns:
            (height, width, 3) uint8 RGB of :attr:`size_hw`, the image at the top.

        Raises:
            ImageError: ``image`` is not an image.
            ContractError: shapes disagree.
        """
        if image_size(image) != self._image_hw:
            raise ContractError(f"expected an image of {self._image_hw} (height, width), got {image.shape[:2]}.")
        found = (image, masks, labels, scores, None)
        if self._drawn_hw == self._image_hw:
            frame = overlay(*found, colours, silent)
        else:
            frame = scaled_overlay(*found, self._drawn_hw[::-1], colours, silent)
        height, width = self._drawn_hw
        page = np.empty((*self.size_hw, 3), np.uint8)
        page[:height, :width] = np.asarray(frame)
        page[:height, width:] = page[:height, width - 1 : width]
        quiet = silent or [False] * len(labels)
        marked = [label for label, still in zip(labels, quiet, strict=True) if not still]
        page[height:] = self._strip(time_s, marked)
        return page

    # ------------------------------------------------------------------ of each frame
    def _strip(self, time_s: float, marked: Sequence[str]) -> NDArray[np.uint8]:
        """The timeline at a time: background, lit names, playhead and what sounds, in words."""
        strip = self._left.copy()
        width = self._x1 - self._x0
        begin = self._window(time_s)
        tile_s = self._tile_s
        first = int((begin - self._start) / tile_s + 1e-9)
        shift = min(width, round(((begin - self._start) / tile_s - first) * width))
        strip[self._wave_top :, self._x0 : self._x1 - shift] = self._tile(first)[:, shift:]
        if shift:
            strip[self._wave_top :, self._x1 - shift : self._x1] = self._tile(first + 1)[:, :shift]
        heard = []
        for row, (lane, names) in enumerate(zip(self._shown, self._names, strict=True)):
            top = self._lane_top(row)
            name = names[lane.sounds_at(time_s)]
            strip[top : top + name.shape[0], self._margin : self._margin + name.shape[1]] = name
        for lane in self._lanes:
            if lane.label not in marked and lane.sounds_at(time_s):
                heard.append(lane.label)
        words = self._status(tuple(marked), tuple(dict.fromkeys(heard)))
        strip[: words.shape[0]] = words
        x = self._x0 + round((time_s - begin) / tile_s * width)
        x = min(max(x, self._x0), self._x1 - 1)
        thick = max(1, self._size // 9)
        strip[self._wave_top : self._axis_top, max(0, x - thick // 2 - 1) : x + (thick + 1) // 2 + 1] = _GROUND
        strip[self._wave_top : self._axis_top, max(0, x - thick // 2) : x + (thick + 1) // 2] = 255
        return strip

    @property
    def _tile_s(self) -> float:
        """Seconds that the width of the timeline stands for."""
        return min(_WINDOW_S, self._end - self._start)

    def _window(self, time_s: float) -> float:
        """Where what is shown of the timeline begins, in seconds."""
        return max(self._start, min(time_s - _HEAD * self._tile_s, self._end - self._tile_s))

    def _lane_top(self, row: int) -> int:
        return self._lanes_top + row * (self._lane_height + 2)

    # ------------------------------------------------------------------ once
    def _draw_left(self) -> NDArray[np.uint8]:
        """The strip without a timeline and with nothing lit."""
        image = Image.new("RGB", self._strip_hw[::-1], _GROUND)
        left_out = len(self._lanes) - len(self._shown)
        if left_out:
            base = self._lane_top(len(self._shown)) + (self._lane_height + cap_height(self._size)) // 2
            room = self._x0 - self._margin
            set_line(f"and {left_out} more", self._size, room).draw(image, self._margin, base, _QUIET)
        return np.asarray(image)

    def _name(self, lane: Lane, lit: bool) -> NDArray[np.uint8]:
        """A lane's name, on a chip of its colour while it sounds; as high as the lane."""
        room, size = self._x0 - self._margin - round(0.5 * self._size), self._size
        colour = lane.colour or GREY
        image = Image.new("RGB", (max(1, room), self._lane_height), _GROUND)
        pad = round(0.4 * size)
        line = set_line(lane.label, size, max(0, room - 2 * pad))
        if lit:
            chip = rounded(max(1, min(room, line.width + 2 * pad)), self._lane_height, 0.3 * self._lane_height)
            image.paste(colour, (0, 0), Image.fromarray(chip))
        line.draw(image, pad, (self._lane_height + cap_height(size)) // 2, ink_on(colour) if lit else _QUIET)
        return np.asarray(image)

    def _draw_status(self, marked: tuple[str, ...], heard: tuple[str, ...]) -> NDArray[np.uint8]:
        """What sounds, in words: the top of the strip, down to the waveform."""
        image = Image.new("RGB", (self._strip_hw[1], self._wave_top), _GROUND)
        said = f"sounding: {', '.join(marked)}" if marked else NOTHING
        beside = f"heard, not in view: {', '.join(heard)}" if heard else ""
        base = (self._wave_top + cap_height(self._size)) // 2 + 1
        room = self._strip_hw[1] - 2 * self._margin
        line = set_line(said, self._size, room)
        line.draw(image, self._margin, base, _INK if marked else _QUIET)
        left = room - line.width - 2 * self._size
        if beside and left > 4 * self._size:
            other = set_line(beside, self._size, left)
            other.draw(image, self._margin + room - other.width, base, _QUIET)
        return np.asarray(image)

    def _draw_tile(self, number: int) -> NDArray[np.uint8]:
        """A part of the timeline, as wide as its window: waveform, lanes and axis, from the waveform's top down."""
        width, reach, top = self._x1 - self._x0, 8 * self._size, self._wave_top
        begin, per_s = self._start + number * self._tile_s, width / self._tile_s
        height = self._strip_hw[0] - top
        canvas = np.full((height, width, 3), _GROUND, np.uint8)
        self._draw_wave(canvas[: self._lanes_top - top - round(0.5 * self._size)], begin)
        # Wider than it is kept, as the texts of the axis reach over its ends.
        image = Image.new("RGB", (width + 2 * reach, height), _GROUND)
        image.paste(Image.fromarray(canvas), (reach, 0))
        for row, lane in enumerate(self._shown):
            self._draw_lane(image, reach, self._lane_top(row) - top, lane, begin, per_s)
        self._draw_axis(image, reach, self._axis_top - top, begin, per_s)
        return np.asarray(image)[:, reach : reach + width]

    def _draw_wave(self, canvas: NDArray[np.uint8], begin: float) -> None:
        """The waveform from a time on, in (height, width, 3); a line where there is no sound."""
        height, width = canvas.shape[:2]
        canvas[height // 2] = _RULE
        if self._clip is None:
            image = Image.fromarray(canvas)
            line = set_line("no audio", self._size, width)
            x = (width - line.width) // 2
            image.paste(_GROUND, (x - self._size, 0, x + line.width + self._size, height))
            line.draw(image, x, (height + cap_height(self._size)) // 2, _QUIET)
            canvas[:] = np.asarray(image)
            return
        rate, samples = self._clip.sample_rate_hz, self._clip.waveform.shape[1]
        first, last = round(begin * rate), round((begin + self._tile_s) * rate)
        first, end = min(max(first, 0), samples), min(max(last, 0), samples)
        columns = round(width * (end - first) / max(1, last - first))
        if columns < 1 or end <= first:
            return
        low, high = envelope(self._clip.part(first, end), columns) * (height / 2 - 1) / self._loudest
        upper, lower = height / 2 - high, height / 2 - low
        thin = np.maximum(0, 1.2 - (lower - upper)) / 2
        rows = np.arange(height)[:, None]
        cover = np.clip(np.minimum(lower + thin, rows + 1) - np.maximum(upper - thin, rows), 0, 1)
        blend(canvas[:, :columns], np.s_[:, :], _WAVE, cover)

    def _draw_lane(self, image: Image.Image, reach: int, top: int, lane: Lane, begin: float, per_s: float) -> None:
        """A thin line where the source is in view, and a bar where it sounds."""
        width, height = image.width, self._lane_height
        colour = lane.colour or GREY
        middle = top + height // 2
        image.paste(_RULE, (0, middle, width, middle + 1))

        def places(spans: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
            ends = [(reach + round((on - begin) * per_s), reach + round((off - begin) * per_s)) for on, off in spans]
            cut = [(max(-height, left), min(width + height, max(right, left + _THIN))) for left, right in ends]
            return [(left, right) for left, right in cut if left < right]

        thick = max(2, self._size // 6)
        dim: Rgb = tuple(round(0.7 * c + 0.3 * g) for c, g in zip(colour, _INK, strict=True))  # type: ignore[assignment]
        for left, right in places(lane.seen):
            image.paste(dim, (left, middle - thick // 2, right, middle - thick // 2 + thick))
        inset = max(1, round(0.12 * height))
        for left, right in places(lane.sounds):
            radius = min(3.0, (right - left) / 2)
            # A pale rim, so that a dark colour stands off the ground.
            shape = Image.fromarray(rounded(right - left, height - 2 * inset, radius))
            image.paste(dim, (left, top + inset), shape)
            if right - left > 4:
                shape = Image.fromarray(rounded(right - left - 2, height - 2 * inset - 2, radius))
                image.paste(colour, (left + 1, top + inset + 1), shape)

    def _draw_axis(self, image: Image.Image, reach: int, top: int, begin: float, per_s: float) -> None:
        """Ticks and times from the start of the video."""
        width = image.width - 2 * reach
        most = max(2, round(width / (9 * self._size)))
        ticks, unit = time_ticks(self._end, max(1, round(most * self._end / self._tile_s)))
        for seconds, label in ticks:
            if seconds < self._start - 1e-9:
                continue
            x = reach + round((seconds - begin) * per_s)
            if not 0 <= x <= image.width - 2:
                continue
            image.paste(_QUIET, (x, top, x + 1, top + round(0.35 * self._size)))
            line = set_line(f"{label} s" if unit == "s" else label, self._size)
            left = x - line.width // 2
            if abs(seconds - self._start) < 1e-9:  # not over the names
                left = max(left, reach)
            if abs(seconds - self._end) < 2 / per_s:
                left = min(left, reach + width - line.width)
            if left >= 0 and left + line.width <= image.width:
                line.draw(image, left, top + round(0.65 * self._size) + cap_height(self._size), _QUIET)
