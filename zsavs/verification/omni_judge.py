"""Judgement of regions by a model that hears and sees: a calibrated yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.content_free import asked_windows, content_free
from zsavs.errors import InputError
from zsavs.media.activity import overlap
from zsavs.media.regions import crop_with_margin
from zsavs.protocols import OmniModel
from zsavs.types import AudioClip, AVSample, Proposals, Query
from zsavs.verification.selection import select

__all__ = ["OmniJudge"]


class OmniJudge:
    """How much more a model says yes to a region with the sound than with none, as evidence for the region.

    The model is asked whether the region's crop shows what makes the sound, and answers with the log odds of yes. A
    region that looks as if it could sound gets a yes whatever is heard; so it is asked of the same crop with digital
    silence and with noise, too, and the larger of these log odds is taken off, as in contextual calibration (Zhao et
    al., ICML 2021). What is left, less ``min_odds``, is the evidence. So silence and noise find nothing, however the
    model leans.

    Of a recording of several windows, those in which the region's source sounds are asked about, at most
    ``most_windows`` of them, and the surest counts.

    Args:
        omni: judges.
        margin: of the crop, as a share of the box's sides, at least 0.
        min_odds: log odds above those with no sound that a region must have.
        most_windows: at least 1.

    Raises:
        InputError: a setting is out of range.
    """

    def __init__(self, omni: OmniModel, *, margin: float = 0.1, min_odds: float = 1.0, most_windows: int = 3) -> None:
        if margin < 0 or most_windows < 1 or not np.isfinite(min_odds):
            raise InputError(
                f"OmniJudge: margin must be at least 0, most_windows at least 1 and min_odds a number, got {margin}, "
                f"{most_windows} and {min_odds}."
            )
        self.omni = omni
        self.margin, self.min_odds, self.most_windows = margin, min_odds, most_windows

    def verify(
        self, samples: Sequence[AVSample], queries: Sequence[Query], proposals: Sequence[Proposals]
    ) -> list[Proposals]:
        """The proposals with evidence, scores and selection; their notes say how much was asked."""
        return [
            self._verify(sample, query, found) for sample, query, found in zip(samples, queries, proposals, strict=True)
        ]

    def _verify(self, sample: AVSample, query: Query, found: Proposals) -> Proposals:
        if not len(found):
            return found
        windows = asked_windows(sample.audio)
        without = content_free(windows[0][1])
        asked: list[tuple[NDArray[np.uint8], AudioClip, str]] = []
        rows = []  # of each region those with its windows
        for source, box in zip(found.sources, found.boxes_xyxy, strict=True):
            crop, clips = crop_with_margin(sample.image, box, self.margin), self._of_source(windows, query, int(source))
            rows.append(slice(len(asked), len(asked) + len(clips)))
            asked += [(crop, clip, query.phrases[source]) for clip in (*clips, *without)]
        images, heard, phrases = zip(*asked, strict=True)
        judged = self.omni.judge(images, heard, phrases)
        odds, free = judged.log_odds, len(without)
        evidence = [odds[row].max() - odds[row.stop : row.stop + free].max() - self.min_odds for row in rows]
        notes = {"judged": {"questions": len(asked), "tokens": judged.tokens}}
        return replace(select(query, found, np.array(evidence, np.float32), sample.size_hw), notes=notes)

    def _of_source(self, windows: Sequence[tuple[float, AudioClip]], query: Query, source: int) -> list[AudioClip]:
        """The windows in which a source sounds, evenly spread where there are too many."""
        times = query.times[source] if query.times else ()
        own = [clip for on, clip in windows if not times or overlap(((on, on + clip.duration_s),), times)]
        clips = own or [clip for _, clip in windows]
        places: NDArray[np.intp] = (
            np.linspace(0, len(clips) - 1, min(self.most_windows, len(clips))).round().astype(int)
        )
        return [clips[place] for place in places]
