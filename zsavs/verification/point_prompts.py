"""Points on what a region shows, for segmenters that take a box and points together: hybrid prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.scorers import ImageScorer
from zsavs.errors import ContractError, InputError
from zsavs.media.regions import crop_with_margin, touched_pixels
from zsavs.protocols import ImageTokenEncoder, Verifier
from zsavs.types import AVSample, Proposals, Query

__all__ = ["PointedRegions"]


class PointedRegions:
    """What another verifier selects, with the points at which each region is most like its row's phrase.

    A box holds more than its source. TAViS (Luo et al., ICCV 2025, arXiv 2506.11436) prompts SAM 2 with what a source
    is and not only with where it is; here that is a point, or several: the middles of those cells of the region that
    are most similar to the phrase, by the tokens of an image encoder (:class:`zsavs.protocols.ImageTokenEncoder`). They
    are as coarse as the encoder's grid, 7 by 7 cells of a region for ViT-B/32. Costs the encoder each selected region
    once more. Segmenters that take boxes alone pass the points over.

    Args:
        verifier: decides which regions are selected. By name, ``build_pipeline(..., verifier="pointed:joint")``.
        image_text: encoder of images and text in one space, with tokens.
        points: how many of each region, at least 1.

    Raises:
        ContractError: the verifier has no ``verify``, or the encoder has no tokens.
        InputError: ``points`` is below 1.
    """

    def __init__(self, verifier: Verifier, image_text: ImageTokenEncoder, *, points: int = 1) -> None:
        if isinstance(verifier, type) or not callable(getattr(verifier, "verify", None)):
            raise ContractError("pointed: the verifier needs verify(...); give an object that has it.")
        if isinstance(image_text, type) or not callable(getattr(image_text, "encode_image_tokens", None)):
            raise ContractError(
                f"pointed: image_text needs encode_image_tokens(...), which {type(image_text).__name__} does not have; "
                "use image_text='open_clip', or another verifier."
            )
        if isinstance(points, bool) or not isinstance(points, int) or points < 1:
            raise InputError(f"pointed: points is a whole number of at least 1, got {points!r}.")
        self.verifier, self.encoder, self.points = verifier, image_text, points
        self.scorer = ImageScorer(image_text)

    def verify(
        self, samples: Sequence[AVSample], queries: Sequence[Query], proposals: Sequence[Proposals]
    ) -> list[Proposals]:
        """The verifier's answer, with points for the regions that it selects."""
        found = self.verifier.verify(samples, queries, proposals)
        crops = [  # 1. the regions, each in a crop of its own
            crop_with_margin(sample.image, box, 0.0)
            for sample, each in zip(samples, found, strict=True)
            for box in each.boxes_xyxy[each.selected]
        ]
        grids = self.encoder.encode_image_tokens(crops)  # 2. their tokens  (h, w, C)
        ends = np.cumsum([each.selected.sum() for each in found], dtype=int)
        return [
            replace(each, points_xy=self._points(sample, query, each, grids[end - each.selected.sum() : end]))
            for sample, query, each, end in zip(samples, queries, found, ends, strict=True)
        ]

    def _points(
        self, sample: AVSample, query: Query, found: Proposals, grids: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """(R, P, 2) x and y in pixels; NaN for regions that are not selected, and where a grid has too few cells."""
        points = np.full((len(found), self.points, 2), np.nan, np.float32)
        for row, grid in zip(np.flatnonzero(found.selected), grids, strict=True):
            phrase = query.phrases[found.sources[row]]
            cells = self.encoder.project_image_tokens(grid.reshape(-1, grid.shape[-1]))  # (h * w, D)
            alike = self.scorer.standardise(cells, [phrase])[:, 0]  # 3. the similarity map
            best = (-alike).argsort(kind="stable")[: self.points]  # 4. its highest cells
            x0, y0, x1, y1 = touched_pixels(sample.image, found.boxes_xyxy[row])
            down, right = np.divmod(best, grid.shape[1])
            xy = [x0 + (right + 0.5) / grid.shape[1] * (x1 - x0), y0 + (down + 0.5) / grid.shape[0] * (y1 - y0)]
            points[row, : len(best)] = np.stack(xy, axis=1)
        return points
