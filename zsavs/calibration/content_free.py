"""Audio for models that are asked in words: the windows that they are given, and clips without any content.

A language model leans to yes or to no, whatever it is asked. Zhao et al. ("Calibrate Before Use", ICML 2021) measure
that lean by a question without content; here its audio has none.
"""

from __future__ import annotations

import numpy as np

from zsavs.media.activity import audible_windows
from zsavs.types import AudioClip

__all__ = ["asked_windows", "content_free"]

#: Length of a window in seconds; such models were trained on clips of some seconds, and each question is dear.
_ASKED_S = 10.0
#: Of the noise, peak against full scale.
_NOISE = 0.1


def asked_windows(clip: AudioClip) -> list[tuple[float, AudioClip]]:
    """Start in seconds and audio of windows of 10 s over what is audible, at least one, in order of time."""
    return audible_windows(clip, _ASKED_S, _ASKED_S)


def content_free(clip: AudioClip) -> list[AudioClip]:
    """Digital silence, and white noise, as long as a clip and at its rate, mono; the same whenever asked."""
    rate, samples = clip.sample_rate_hz, clip.waveform.shape[1]
    noise = _NOISE * np.random.default_rng(0).uniform(-1, 1, (1, samples)).astype(np.float32)
    return [AudioClip(wave, rate) for wave in (np.zeros_like(noise), noise)]
