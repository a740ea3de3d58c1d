"""The ceiling of whole videos: an oracle in the place of the strategy, told what sounds when.

With the same grounder, verifier, segmenter and tracker after it, it shows what is lost after the strategy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zsavs.types import AudioClip, AVSample, Evidence, Query, Times

__all__ = ["Clock", "Oracle"]

#: A window that is not longer is answered for its middle, in seconds.
_SHORT_S = 2.0
#: Evidence for what sounds throughout a window, in standard deviations.
_CERTAIN = 10.0


class Clock:
    """Audio that says what time it is, for the oracle: it rises from 0.5 to 0.6, too little to be a sound that begins.

    Args:
        duration_s: its length.
    """

    RATE_HZ = 16_000

    def __init__(self, duration_s: float) -> None:
        self.duration_s = duration_s
        count = round(duration_s * self.RATE_HZ)
        self.audio = AudioClip(np.linspace(0.5, 0.6, count, dtype=np.float32)[None], self.RATE_HZ)

    def span(self, audio: AudioClip) -> tuple[float, float] | None:
        """From when to when an excerpt of it is, in seconds; None for what is none."""
        heard = audio.waveform[audio.waveform > 0.49]
        if not heard.size:
            return None
        first, last = ((float(level) - 0.5) / 0.1 * self.duration_s for level in (heard.min(), heard.max()))
        return max(0.0, first), min(self.duration_s, last + 1 / self.RATE_HZ)


class Oracle:
    """AN ORACLE, for the ceiling only: gives the annotated labels of what sounds, at its times; it hears a clock.

    Of a short window it names what sounds in its middle, of a long one all that sounds in it; the evidence for each
    label is the share of the window in which it sounds.

    Attributes:
        times: by label, when each source sounds in the video that is asked about.
        clock: what stands in for the video's audio.
    """

    times: Mapping[str, Times]
    clock: Clock

    def tell(self, times: Mapping[str, Times], duration_s: float) -> AudioClip:
        """Turn to another video; the audio to give to the pipeline in place of the video's own.

        Args:
            times: by label, when each source sounds, on and off in seconds.
            duration_s: length of the video.
        """
        self.times, self.clock = times, Clock(duration_s)
        return self.clock.audio

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The labels of what sounds in each sample's audio, all with the weight 1, and when, from its start."""
        return [self._query(self.clock.span(sample.audio)) for sample in samples]

    def _query(self, span: tuple[float, float] | None) -> Query:
        if span is None:
            return Query.nothing()
        begin, end = span
        middle = (begin + end) / 2
        labels = tuple(self.times)
        share = np.zeros(len(labels), np.float32)
        for row, times in enumerate(self.times.values()):
            if end - begin <= _SHORT_S:
                share[row] = any(on <= middle < off for on, off in times)
            else:
                share[row] = sum(max(0.0, min(off, end) - max(on, begin)) for on, off in times) / (end - begin)
        said = share > 0
        evidence = Evidence(labels, _CERTAIN * share, len(labels), 0.0, np.inf)
        return Query(
            tuple(label for label, on in zip(labels, said, strict=True) if on),
            np.ones(int(said.sum()), np.float32),
            evidence=evidence,
        )
