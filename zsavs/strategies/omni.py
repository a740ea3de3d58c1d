"""Omni: a model that hears and sees names the sources, and judges each region of them (StereoBind, section 3.2)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from zsavs.calibration.content_free import asked_windows
from zsavs.errors import InputError
from zsavs.language.meanings import Meanings
from zsavs.media.activity import Times, active_times, unite
from zsavs.protocols import OmniModel, Translation
from zsavs.types import AVSample, Query

__all__ = ["Omni"]


class Omni:
    """What a model that hears and sees at once names, region by region judged by the same model.

    The annotation pipeline of StereoBind (2026, section 3.2) asks Qwen3-Omni for the sources that are visible, grounds
    them, gives each candidate back to the model with the sound, and keeps the best. Here a candidate is a region's
    crop, and it is kept for a calibrated yes (:class:`zsavs.verification.omni_judge.OmniJudge`), so that several or
    none can be; a video is followed by the tracker.

    A recording longer than ten seconds is asked about in windows of ten seconds, and a source sounds in those windows
    in which it is named. Sources have no probability here: every weight is 1, and the judge decides.

    Args:
        omni: names and judges.
        top_k: the most sources, at least 0.

    Raises:
        InputError: ``top_k`` is negative.
    """

    #: The same model looks at every region.
    stages: ClassVar[dict[str, str]] = {"verifier": "omni_judge"}

    def __init__(self, omni: OmniModel, *, top_k: int = 5) -> None:
        if top_k < 0:
            raise InputError(f"omni: top_k must be at least 0, got {top_k}.")
        self.omni, self.top_k = omni, top_k

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """What the model names for each sample's image with each window of its audio."""
        return [self._query(sample) if active_times(sample.audio) else Query.nothing() for sample in samples]

    def _query(self, sample: AVSample) -> Query:
        windows = asked_windows(sample.audio)  # 1. windows of what is audible
        start = time.perf_counter()
        named = self.omni.name_sources([AVSample(sample.image, window) for _, window in windows])  # 2. sources by name
        seconds = time.perf_counter() - start
        spans = [(on, on + window.duration_s) for on, window in windows]
        rows = _merged(named, spans)  # 3. one row for each source, and when it is named
        told = [{"phrase": phrase, "heard": heard, "reason": reason} for phrase, heard, reason, _ in rows]
        notes = [dict(each.notes) for each in named]
        tokens = sum(note.get("tokens", 0) for note in notes)
        return Query(
            tuple(phrase for phrase, *_ in rows),
            np.ones(len(rows), np.float32),
            times=tuple(times for *_, times in rows) if len(windows) > 1 and rows else None,
            notes={"omni": {"sources": told, "tokens": tokens, "asked": notes}},
            seconds={"naming": seconds},
        ).top(self.top_k)


def _merged(named: Sequence[Translation], spans: Sequence[tuple[float, float]]) -> list[tuple[Any, ...]]:
    """For each source its first name, what is heard of it, the reason, and the times at which it is named."""
    meanings = Meanings()
    phrases = meanings.distinct([sought.phrase for each in named for sought in each.sources], looks=True)
    rows: list[tuple[Any, ...]] = []
    for phrase in phrases:
        found = [
            (sought, span)
            for each, span in zip(named, spans, strict=True)
            for sought in each.sources
            if len(meanings.distinct([phrase, sought.phrase], looks=True)) == 1
        ]
        times: Times = unite(span for _, span in found)
        rows.append((phrase, found[0][0].heard, found[0][0].reason, times))
    return rows
