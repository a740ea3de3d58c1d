"""One region for each source: the grounder's best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.selection import select

__all__ = ["PivotBox"]


class PivotBox:
    """Selects the grounder's best region of each source and no other (:class:`zsavs.protocols.Verifier`).

    Several things of one kind are one answer, as in AL-Ref-SAM2 (arXiv 2408.15876), where a language model chooses.
    """

    def verify(
        self, samples: Sequence[AVSample], queries: Sequence[Query], proposals: Sequence[Proposals]
    ) -> list[Proposals]:
        """Evidence 0 for every region; of several with the best score of their source, the first is selected."""
        verified = []
        for sample, query, found in zip(samples, queries, proposals, strict=True):
            chosen = select(query, found, np.zeros(len(found), np.float32), sample.size_hw)
            best = np.zeros(len(found), bool)
            for source in np.unique(found.sources):
                own = np.flatnonzero(found.sources == source)
                best[own[np.argmax(found.scores[own])]] = True
            selected = best if chosen.selected is None else best & chosen.selected
            verified.append(replace(chosen, selected=selected))
        return verified
