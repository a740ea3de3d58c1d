"""A long clip's resampled downmix and its windows, one at a time: those of the whole, in memory that does not grow."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from waveforms import noise

import zsavs.media.waveform
from zsavs.errors import AudioError
from zsavs.media.audio_clip import AudioClip
from zsavs.media.waveform import resample, resampled_blocks, stream_windows, windows


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zsavs.media.waveform, "_BLOCK", 1009)


@pytest.mark.parametrize(
    ("rate", "to"), [(48_000, 16_000), (44_100, 16_000), (16_000, 16_000), (8000, 48_000), (11_111, 32_000), (7, 900)]
)
@pytest.mark.parametrize("samples", [1, 1009, 1010, 5000, 40_111])
def test_blocks_are_the_whole_resampled_at_once(small_blocks: None, rate: int, to: int, samples: int) -> None:
    clip = AudioClip(np.stack([noise(samples, 1), noise(samples, 2)]), rate)
    whole = resample(clip.mono(), rate, to)
    blocks = list(resampled_blocks(clip, to))
    assert all(len(block) > 0 and block.dtype == np.float32 for block in blocks)
    joined = np.concatenate(blocks)
    assert joined.shape == whole.shape
    np.testing.assert_allclose(joined, whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("length_s", "hop_s"), [(1.0, 1.0), (1.0, 0.5), (0.96, 0.48), (0.3, 0.01), (0.01, 0.0003)])
@pytest.mark.parametrize("samples", [44_100, 44_111, 70_000, 88_200])
def test_windows_are_those_of_the_whole(small_blocks: None, length_s: float, hop_s: float, samples: int) -> None:
    clip = AudioClip(noise(samples)[None], 44_100)
    if length_s < 0.1:  # a window a sample would be many
        clip = clip.part(0, samples // 20)
    whole = windows(resample(clip.mono(), 44_100, 16_000), 16_000, length_s, hop_s)
    starts, cut = zip(*stream_windows(clip, 16_000, length_s, hop_s), strict=True)
    np.testing.assert_allclose(np.stack(cut), whole, rtol=0, atol=1e-6)
    hop = max(1, round(hop_s * 16_000))
    assert [round(start * 16_000) for start in starts[:-1]] == [k * hop for k in range(len(starts) - 1)]
    length = max(1, round(length_s * 16_000))
    assert round(starts[-1] * 16_000) + length == len(resample(clip.mono(), 44_100, 16_000))


@pytest.mark.parametrize("samples", [1, 700, 15_999, 16_000])
def test_a_clip_not_longer_than_a_window_is_one_as_long_as_it_is(small_blocks: None, samples: int) -> None:
    ((start, window),) = stream_windows(AudioClip(noise(samples)[None], 16_000), 16_000, 1.0, 0.25)
    assert start == 0
    np.testing.assert_array_equal(window, noise(samples))


def test_windows_are_nobody_elses() -> None:
    first, second = (window for _, window in stream_windows(AudioClip(noise(30)[None], 10), 10, 2.0, 1.0))
    first[:] = 7
    assert (second != 7).all()


def test_memory_does_not_grow_with_the_clip() -> None:
    wave = np.zeros((2, 4_000_000), np.float32)

    def peak(samples: int) -> int:
        clip = AudioClip(wave[:, :samples], 16_000)
        tracemalloc.start()
        try:
            assert sum(1 for _ in stream_windows(clip, 32_000, 1.0, 0.5)) > 30
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2_000_000)
    assert peak(4_000_000) < 1.1 * peak(1_000_000)


@pytest.mark.parametrize(
    ("rate", "length_s", "hop_s"),
    [(0, 1, 1), (800_000, 1, 1), (16_000, 0, 0), (16_000, 1, 2), (16_000, math.inf, 1), (16_000, 1, math.nan)],
)
def test_what_cannot_be_is_refused(rate: int, length_s: Any, hop_s: Any) -> None:
    with pytest.raises(AudioError, match=r"windows|resample"):
        next(stream_windows(AudioClip(noise(100)[None], 100), rate, length_s, hop_s))


def test_a_rate_that_would_make_it_endless_is_refused() -> None:
    with pytest.raises(AudioError, match="check the sample rate"):
        next(resampled_blocks(AudioClip(np.zeros((1, 100_000), np.float32), 1), 48_000))
