"""Decomposition by spectra: sources at once, by non-negative matrix factorisation of the spectrogram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.decomposition.component import Component, component_memo
from zsavs.errors import InputError
from zsavs.media.activity import active_times
from zsavs.media.spectrogram import frame_length, istft, stft
from zsavs.media.waveform import SILENCE_DB, rms_db
from zsavs.types import AudioClip

__all__ = ["SpectrogramNMF", "divergence", "factorise"]

Magnitudes = NDArray[np.float32]

#: Added to every magnitude, of a spectrogram whose largest is 1, as the divergence needs them above 0.
_FLOOR = 1e-6
#: A component so far below the clip, in dB, is what a frame at its edge or a click leaves over.
_LEAST_DB = -20.0


class SpectrogramNMF:
    """Few spectra with gains over time that a spectrogram is the sum of; each one's share of the clip is a component.

    The magnitudes are factorised as ``V ~ W H`` with non-negative factors under the generalised Kullback-Leibler
    divergence, by multiplicative updates (Lee & Seung, "Algorithms for non-negative matrix factorization", NIPS 2000).
    Each component is a soft mask of the mixture, ``w h / sum(w h)`` of every cell with the phase of the mixture, so
    that the components add up to the clip; the channels of a stereo clip get the same mask.

    Nothing is random. The first spectrum is the clip's mean; each further one is initialised with the frame of largest
    divergence so far. It stays if the divergence falls by at least ``min_gain`` of the sum of all magnitudes: two
    spectra fit noise hardly better than one, and likewise a sound whose partials all rise and fall together, which this
    method cannot decompose. Components of less than a hundredth of the power are dropped.

    Args:
        max_components: the most spectra, at least 1.
        min_gain: how much better one more spectrum must fit the clip, in (0, 1).
        steps: updates for each number of spectra.

    Raises:
        InputError: a setting is out of range.
    """

    def __init__(self, *, max_components: int = 4, min_gain: float = 0.03, steps: int = 40) -> None:
        if max_components < 1 or not 0 < min_gain < 1 or steps < 1:
            raise InputError(
                f"nmf: max_components and steps must be at least 1 and min_gain in (0, 1), "
                f"got {max_components}, {steps} and {min_gain}."
            )
        self.max_components, self.min_gain, self.steps = max_components, min_gain, steps
        self._known = component_memo(SpectrogramNMF, max_components, min_gain, steps)

    def decompose(self, clips: Sequence[AudioClip]) -> list[list[Component]]:
        """The components of each clip, as long as the clip; none where one spectrum fits it as well."""
        return self._known(clips, lambda new: [self._components(clip) for clip in new])

    def _components(self, clip: AudioClip) -> list[Component]:
        if rms_db(clip.waveform) <= SILENCE_DB:
            return []
        samples, length = clip.waveform.shape[1], frame_length(clip.sample_rate_hz)
        spectrogram = stft(clip.waveform, length)  # 1. (C, F, N)
        magnitudes = np.sqrt(np.mean(np.abs(spectrogram) ** 2, axis=0))  # 2. over the channels  (F, N)
        spectra, gains = self._fit(magnitudes / magnitudes.max() + np.float32(_FLOOR))  # 3. (F, R), (R, N)
        if len(gains) < 2:
            return []
        whole = spectra @ gains
        components = []
        for spectrum, gain in zip(spectra.T, gains, strict=True):
            share = np.outer(spectrum, gain) / whole  # 4. of every cell, in [0, 1]
            part = AudioClip(istft(spectrogram * share, length, samples), clip.sample_rate_hz, clip.source)  # 5.
            components.append(Component(part, active_times(part)))  # 6. when it sounds
        least = rms_db(clip.waveform) + _LEAST_DB
        kept = [part for part in components if part.times and rms_db(part.clip.waveform) >= least]  # 7.
        return kept if len(kept) > 1 else []

    def _fit(self, magnitudes: Magnitudes) -> tuple[Magnitudes, Magnitudes]:
        """Factors of as many components as the clip has by ``min_gain``."""
        spectra = magnitudes.mean(axis=1, keepdims=True)
        gains = magnitudes.sum(axis=0, keepdims=True) / spectra.sum()  # the best single spectrum, in closed form
        left, total = divergence(magnitudes, spectra @ gains), float(magnitudes.sum(dtype=np.float64))
        while len(gains) < self.max_components:
            more = factorise(magnitudes, *_with_worst_frame(magnitudes, spectra, gains), self.steps)
            remains = divergence(magnitudes, more[0] @ more[1])
            if left - remains < self.min_gain * total:
                break
            (spectra, gains), left = more, remains
        return spectra, gains


def factorise(
    magnitudes: Magnitudes, spectra: Magnitudes, gains: Magnitudes, steps: int
) -> tuple[Magnitudes, Magnitudes]:
    """Two factors after multiplicative updates, none of which makes the divergence larger.

    Args:
        magnitudes: (F, N), above 0.
        spectra: (F, R), not negative.
        gains: (R, N), not negative.
        steps: updates of each factor.

    Returns:
        The factors, new arrays.
    """
    spectra, gains = spectra.copy(), gains.copy()
    tiny = np.float32(1e-12)
    for _ in range(steps):
        gains *= (spectra.T @ (magnitudes / (spectra @ gains + tiny))) / (spectra.sum(axis=0)[:, None] + tiny)
        spectra *= ((magnitudes / (spectra @ gains + tiny)) @ gains.T) / (gains.sum(axis=1) + tiny)
    return spectra, gains


def divergence(magnitudes: Magnitudes, model: Magnitudes) -> float:
    """The generalised Kullback-Leibler divergence of a model (F, N) from magnitudes (F, N), both above 0."""
    return float(_divergences(magnitudes, model).sum(dtype=np.float64))


def _divergences(magnitudes: Magnitudes, model: Magnitudes) -> Magnitudes:
    model = model + np.float32(1e-12)
    cells: Magnitudes = magnitudes * np.log(magnitudes / model) - magnitudes + model
    return cells


def _with_worst_frame(magnitudes: Magnitudes, spectra: Magnitudes, gains: Magnitudes) -> tuple[Magnitudes, Magnitudes]:
    """The factors with one component more, initialised with the frame that they fit worst."""
    worst = int(_divergences(magnitudes, spectra @ gains).sum(axis=0).argmax())
    spectrum = magnitudes[:, worst : worst + 1]
    gain = magnitudes.sum(axis=0, keepdims=True) / spectrum.sum()
    # The new component begins with an equal part everywhere; the updates decide where it stays.
    shares = np.float32(1 / (1 + len(gains)))
    return np.hstack([spectra, spectrum]), np.vstack([gains * (1 - shares), gain * shares])
