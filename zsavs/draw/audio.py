"""The image of a sound: waveform, sources over time, spectrogram and axis, bounded in time and memory at any length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs.draw.colours import INK, PAPER, QUIET, Rgb, blend, spectrogram_ramp
from zsavs.draw.labels import rounded
from zsavs.draw.text import cap_height, set_line
from zsavs.draw.times import SourceTimes, bars_height, draw_bars
from zsavs.media.audio_clip import AudioClip
from zsavs.media.mapped import release

__all__ = ["audio_strip", "envelope", "spectrogram", "time_ticks"]

_WAVE: Rgb = (52, 74, 128)
#: Peaks below this fill less than the height of the strip, so that near silence looks like it. -30 dB full scale.
_QUIETEST_PEAK = 10 ** (-30 / 20)
#: The loudest point of a spectrogram is drawn black if it reaches this level, dB relative to a full-scale sine.
_QUIETEST_TOP_DB = -50.0
_RANGE_DB = 70.0
_WINDOW_S = 0.046
#: In samples; longer ones would only be asked for at rates that no audio has.
_LONGEST_WINDOW = 1 << 14
_HIGHEST_HZ = 16_000.0
#: A column of a long clip is drawn from this many windows, evenly spread over its time.
_WINDOWS_PER_COLUMN = 8
#: Columns worked on at a time, and samples of a waveform's envelope, where a column does not have more.
_COLUMNS, _SAMPLES = 64, 2**18
#: From so many seconds on the axis is in minutes and seconds, and from an hour on in hours and minutes.
_MINUTES_FROM, _HOURS_FROM = 100.0, 3600.0
#: Steps of such an axis in seconds; beyond them hours in steps of 1, 2 or 5.
_CLOCK_STEPS = (10, 15, 20, 30, 60, 120, 300, 600, 1200, 1800)


def envelope(clip: AudioClip, columns: int) -> NDArray[np.float32]:
    """Lowest and highest value of the mono mix in each of ``columns`` equal spans of time: (2, columns) float32.

    Where a span holds less than two samples, the samples are joined by straight lines.
    """
    samples = clip.waveform.shape[1]
    edges = np.linspace(0, samples, columns + 1)
    if samples < 2 * columns:
        ends = np.interp(edges, np.arange(samples) + 0.5, clip.mono()).astype(np.float32)
        return np.stack([np.minimum(ends[:-1], ends[1:]), np.maximum(ends[:-1], ends[1:])])
    out = np.empty((2, columns), np.float32)
    whole = edges.astype(int)
    step = max(1, min(_COLUMNS, _SAMPLES * columns // samples))
    for first in range(0, columns, step):
        some = whole[first : first + step + 1]
        mono = clip.mono(some[0], some[-1])
        for row, reduce in zip(out, (np.minimum.reduceat, np.maximum.reduceat), strict=True):
            row[first : first + step] = reduce(mono, some[:-1] - some[0])
        release(clip.waveform)
    return out


def spectrogram(clip: AudioClip, columns: int, rows: int) -> NDArray[np.float32]:
    """Loudness over time and frequency: (rows, columns) in [0, 1], row 0 the highest frequency.

    Power spectra of Hann windows of 46 ms (shorter for short sounds), the loudest of those in a column, in triangular
    bands evenly spaced in mel up to 16 kHz or the Nyquist frequency; 1 is the loudest point (at least -50 dB relative
    to a full-scale sine), 0 is 70 dB below it.
    """
    rate, samples = clip.sample_rate_hz, clip.waveform.shape[1]
    length = max(2, round(rate * min(_WINDOW_S, max(clip.duration_s / 12, 0.002))))
    length = min(length, _LONGEST_WINDOW)
    size = 1 << (min(max(length, round(rate * _WINDOW_S)), _LONGEST_WINDOW) - 1).bit_length()
    window = np.hanning(length + 2)[1:-1].astype(np.float32)
    window *= 2 / window.sum()  # a full-scale sine has power 1
    bands = _mel_bands(rows, size, rate)

    per_column = int(np.clip(2 * samples / (columns * length), 1, _WINDOWS_PER_COLUMN))
    centres = (np.arange(columns * per_column) + 0.5) * samples / (columns * per_column)
    starts = np.rint(centres - length / 2).astype(np.int64)
    power = np.empty((columns, rows), np.float32)
    for first in range(0, columns, _COLUMNS):
        some = starts[first * per_column : (first + _COLUMNS) * per_column, None] + np.arange(length)
        inside = (some >= 0) & (some < samples)
        mono = np.zeros(some.shape, np.float32)
        for channel in clip.heard:
            mono += channel[np.clip(some, 0, samples - 1)] / len(clip.heard)
        release(clip.waveform)
        frames = mono * inside * window
        spectrum = np.abs(np.fft.rfft(frames, size, axis=1)) ** 2
        loudest = (spectrum @ bands).reshape(-1, per_column, rows).max(axis=1)
        power[first : first + _COLUMNS] = loudest
    decibel = 10 * np.log10(np.maximum(power, 1e-20))
    top = max(float(decibel.max()), _QUIETEST_TOP_DB)
    return np.clip(1 + (decibel - top) / _RANGE_DB, 0, 1).T[::-1].astype(np.float32)


def _mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Mel of O'Shaughnessy, 1987."""
    return 2595 * np.log10(1 + np.asarray(hz, np.float64) / 700)


def _highest_hz(rate: int) -> float:
    return min(rate / 2, _HIGHEST_HZ)


def _mel_bands(rows: int, size: int, rate: int) -> NDArray[np.float32]:
    """(size // 2 + 1, rows) weights of triangular bands, lowest first, each at least a bin wide and of sum 1."""
    bins = np.arange(size // 2 + 1) * rate / size
    mel = (np.arange(rows) + 0.5) / rows * _mel(_highest_hz(rate))
    centre = 700 * (10 ** (mel / 2595) - 1)
    half = np.maximum(np.gradient(centre) if rows > 1 else centre, rate / size)
    weights = np.clip(1 - np.abs(bins[:, None] - centre) / half, 0, None)
    bands: NDArray[np.float32] = (weights / weights.sum(axis=0)).astype(np.float32)
    return bands


def time_ticks(duration_s: float, most: int) -> tuple[list[tuple[float, str]], str]:
    """Where to put at most ``most`` + 1 ticks: seconds from 0 on in round steps, with labels; and the labels' unit.

    >>> time_ticks(4.0, 4), time_ticks(125.0, 2), time_ticks(3600.0, 2)[0][1]
    (([(0.0, '0'), (1.0, '1'), (2.0, '2'), (3.0, '3'), (4.0, '4')], 's'), ([(0.0, '0:00'), (120.0, '2:00')], 'min'), \
(1800.0, '0:30'))
    """
    rough = duration_s / max(1, most) * (1 - 1e-9)
    if duration_s < _MINUTES_FROM:
        step = _round_step(rough)
        decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))
        return [(s, f"{s:.{decimals if s else 0}f}") for s in _multiples(step, duration_s)], "s"
    least, part, unit = (1, 60, "min") if duration_s < _HOURS_FROM else (60, 3600, "h")
    step = next((float(s) for s in _CLOCK_STEPS if s >= max(rough, least)), 0.0) or 3600 * _round_step(rough / 3600)
    ticks = [(s, f"{int(s // part)}:{int(s % part // (part // 60)):02d}") for s in _multiples(step, duration_s)]
    return ticks, unit


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5, 10 and so on, or of their tenths."""
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(power * k for k in (1, 2, 5, 10) if power * k >= rough))


def _multiples(step: float, most: float) -> list[float]:
    return [k * step for k in range(int(most / step + 1e-9) + 1)]


def audio_strip(
    clip: AudioClip, width: int, height: int, size: int, sources: Sequence[SourceTimes] = ()
) -> Image.Image:
    """Waveform above spectrogram above a time axis, and when each source sounds between the first two.

    Args:
        clip: any length from one sample on.
        width: of the strip in pixels, the time axis spans all of it.
        height: of the strip in pixels, at least 12 times ``size``, without the bars of the sources.
        size: type size of the axis.
        sources: what has bars under the waveform; they make the strip higher by ``bars_height``.

    Returns:
        RGB image (width, height and that of the bars) on paper.
    """
    bars = bars_height(len(sources), size)
    axis = round(2.1 * size)
    wave_height = round(0.34 * (height - axis))
    gap = round(0.5 * size)
    height += bars
    top, bottom = wave_height + gap + bars, height - axis
    canvas = np.full((height, width, 3), PAPER, np.uint8)
    _draw_wave(canvas[:wave_height], envelope(clip, width))
    level = spectrogram(clip, width, bottom - top)
    canvas[top:bottom] = spectrogram_ramp()[np.rint(level * 255).astype(np.uint8)]
    image = Image.fromarray(canvas)
    draw_bars(image, wave_height + gap, sources, clip.duration_s, size)
    _draw_frequencies(image, top, bottom, clip.sample_rate_hz, size)
    _draw_times(image, bottom, clip.duration_s, size)
    return image


def _draw_wave(canvas: NDArray[np.uint8], span: NDArray[np.float32]) -> None:
    """Fill (height, width, 3) between the lowest and highest value of each column, at least a pixel thick."""
    height = len(canvas)
    scale = (height - 2) / 2 / max(float(np.abs(span).max()), _QUIETEST_PEAK)
    upper, lower = height / 2 - span[1] * scale, height / 2 - span[0] * scale
    thin = np.maximum(0, 1.2 - (lower - upper)) / 2
    rows = np.arange(height)[:, None]
    cover = np.clip(np.minimum(lower + thin, rows + 1) - np.maximum(upper - thin, rows), 0, 1)
    blend(canvas, np.s_[:, :], _WAVE, cover)


def _draw_frequencies(image: Image.Image, top: int, bottom: int, rate: int, size: int) -> None:
    """Name a few frequencies at the left edge of the spectrogram, on a pale ground."""
    free = bottom
    for hz, name in ((1000, "1 kHz"), (4000, "4 kHz"), (12000, "12 kHz")):
        y = round(bottom - (bottom - top) * float(_mel(hz) / _mel(_highest_hz(rate))))
        line = set_line(name, size)
        half = cap_height(size) // 2 + 4
        if hz >= rate / 2 or y - half < top + 2 or y + half > free - 2:
            continue
        plate = rounded(line.width + 12, 2 * half, 4)
        image.paste(PAPER, (6, y - half), Image.fromarray((plate * 0.82).astype(np.uint8)))
        line.draw(image, 12, y + cap_height(size) // 2, INK)
        free = y - half


def _draw_times(image: Image.Image, top: int, duration_s: float, size: int) -> None:
    """Ticks and times under the spectrogram."""
    width, baseline = image.width, top + round(0.7 * size) + cap_height(size)
    free = width  # labels are set from the right, each left of the one before
    ticks, unit = time_ticks(duration_s, max(2, width // 110))
    for seconds, label in reversed(ticks):
        x = min(width - 2, round(seconds / duration_s * width))
        image.paste(QUIET, (x, top, x + 2, top + round(0.35 * size)))
        line = set_line(f"{label} {unit}", size)
        left = min(max(0, x + 1 - line.width // 2), width - line.width)
        if left + line.width <= free:
            line.draw(image, left, baseline, QUIET)
            free, unit = left - size, ""
