"""A space of audio and texts as CLAP's are found to be, made of random numbers: for rules that no real model can test
here.

What is imitated, of published figures and of what users report (``docs/calibration.md``): cosines that are low, middle
or high as a whole; a modality gap, as audio and texts each lie around a direction of their own; anisotropy, as meaning
fills some directions more than others; labels that all audio is near or far from (hubs); families of labels with
similar meanings; and labels that noise or tones resemble, as rain and a flute do. The audio of noise, tones and silence
hardly varies; that of things does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.directions import unit
from zsavs.calibration.scorers import Usual

__all__ = ["RANGES", "Range", "Space"]

Rows = NDArray[np.float64]

#: Dimensions of the space, and of those that meaning fills.
_DIM, _MEANING = 512, 160
_FAMILIES, _LIKE_NOISE, _LIKE_TONES, _OTHERS = 30, 12, 12, 145


class Range(NamedTuple):
    """How much of a text and of audio is meaning, and how much of audio is nothing but its own."""

    text: float
    audio: float
    own: float


#: By name; in :meth:`Space.cosines` what they amount to.
RANGES = {"low": Range(0.5, 0.6, 1.5), "middle": Range(0.9, 1.1, 1.2), "high": Range(2.0, 2.5, 1.0)}


class Space:
    """Labels, audio that sounds like them, and what similarities are standardised against.

    Args:
        cosines: low, middle or high.
        seed: of all that is random.
    """

    def __init__(self, cosines: Range, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.range = cosines
        axes = np.linalg.qr(self.rng.standard_normal((_DIM, _DIM)))[0].T
        self._audio_mean, self._text_mean = axes[0], unit(0.6 * axes[1] - 0.3 * axes[0])
        weights = (1.0 + np.arange(_MEANING)) ** -0.35
        self._axes = axes[2 : 2 + _MEANING] * weights[:, None]
        self.blanks = {kind: self.meanings(1)[0] for kind in ("noise", "tones", "silence")}
        self._recorded = {kind: unit(self.rng.standard_normal(_DIM)) for kind in self.blanks}
        families = self.meanings(_FAMILIES)
        noise, tones, silence = self.blanks.values()
        self.labels = np.concatenate(
            [
                self._near(np.tile(noise, (_LIKE_NOISE, 1)), 0.5),
                self._near(np.tile(tones, (_LIKE_TONES, 1)), 0.5),
                self._near(families[np.arange(_OTHERS) % _FAMILIES], 0.4),
            ]
        )
        #: Of each label, the number of its family.
        self.family = np.concatenate(
            [np.full(_LIKE_NOISE, -1), np.full(_LIKE_TONES, -2), np.arange(_OTHERS) % _FAMILIES]
        )
        #: Of each label, what resembles it.
        self.kind = np.array(["noise-like"] * _LIKE_NOISE + ["tone-like"] * _LIKE_TONES + ["other"] * _OTHERS)
        nothing = self._near(np.stack([noise, noise, noise, tones, tones, silence, silence]), 0.8)
        self.text = self._texts(self.labels)
        bank = [self.blank(kind, count) for kind, count in (("noise", 21), ("tones", 15), ("silence", 6))]
        #: A bank as the synthetic one: half of it noise, a third of it tones.
        self.usual = Usual(np.concatenate(bank), self.text, self.text, self._texts(nothing), blank=True)

    def meanings(self, count: int) -> Rows:
        """Random meanings, (count, D), unit rows."""
        return unit(self.rng.standard_normal((count, _MEANING)) @ self._axes)

    def audio(self, meanings: Rows) -> Rows:
        """A recording of each of N meanings, (N, D), unit rows: louder or fainter, with something else in it."""
        count = len(meanings)
        varied = np.exp(self.rng.standard_normal((2, count, 1)) * [[[0.25]], [[0.2]]])
        heard = varied[0] * meanings + 0.7 * varied[1] * self.meanings(count)
        own = unit(self.rng.standard_normal((count, _DIM)))
        return unit(self._audio_mean + self.range.audio * heard + self.range.own * own)

    def blank(self, kind: str, count: int) -> Rows:
        """Recordings of "noise", "tones" or "silence", (count, D), unit rows: they hardly differ."""
        heard = self.blanks[kind] + 0.35 * self.meanings(count)
        own = unit(self._recorded[kind] + 0.5 * unit(self.rng.standard_normal((count, _DIM))))
        return unit(self._audio_mean + self.range.audio * heard + self.range.own * own)

    def cosines(self) -> dict[str, Any]:
        """The 5th, 50th and 95th percentile of the cosines of recordings with their own label and with other ones."""
        own = np.repeat(np.arange(len(self.labels)), 4)
        similarity = self.audio(self.labels[own]) @ self.text.T
        others = similarity[self.family[own][:, None] != self.family]
        right = similarity[np.arange(len(own)), own]
        return {name: np.quantile(values, [0.05, 0.5, 0.95]) for name, values in (("own", right), ("others", others))}

    def trained_temperature(self) -> float:
        """The temperature at which a softmax over labels fits recordings best, as training would find it."""
        own = np.repeat(np.arange(len(self.labels)), 4)
        similarity = self.audio(self.labels[own]) @ self.text.T
        scales = np.geomspace(4, 400, 60)
        losses = [
            float(np.mean(np.log(np.exp(s * (similarity - similarity[range(len(own)), own][:, None])).sum(axis=1))))
            for s in scales
        ]
        return float(1 / scales[int(np.argmin(losses))])

    def _near(self, meanings: Rows, share: float) -> Rows:
        """Meanings that share so much of their power with others."""
        return unit(np.sqrt(share) * meanings + np.sqrt(1 - share) * self.meanings(len(meanings)))

    def _texts(self, meanings: Rows) -> Rows:
        hubs = 0.06 * self.rng.standard_normal((len(meanings), 1)) * self._audio_mean
        return unit(unit(self._text_mean + self.range.text * meanings) + hubs)
