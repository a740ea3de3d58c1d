"""Tracking by detection: what is found in each frame is linked to what was found before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zsavs.protocols import ImageTextEncoder
from zsavs.tracking.identities import Identities
from zsavs.tracking.matching import Matcher
from zsavs.types import Detections

__all__ = ["Associate"]


class Associate:
    """A tracker (:class:`zsavs.protocols.Tracker`) that links the objects found in every frame.

    The rule is that of :class:`zsavs.tracking.matching.Matcher`: overlap of masks in neighbouring frames, looks after a
    gap of any length. In the manner of SORT (Bewley et al., ICIP 2016) and DeepSORT (Wojke et al., ICIP 2017), with
    masks in place of boxes, and with a mean of velocities in place of a Kalman filter.

    The packages of such trackers (``trackers``, ``boxmot``, ``norfair``) link boxes alone; an object that comes back
    after a second is a new one to most of them.

    Args:
        image_text: optional encoder, for what objects look like; without it only their colours count.
        min_overlap, min_similarity: see :class:`~zsavs.tracking.matching.Matcher`.

    Raises:
        InputError: a setting is out of range.
    """

    looks = "every"

    def __init__(
        self, image_text: ImageTextEncoder | None = None, *, min_overlap: float = 0.2, min_similarity: float = 0.6
    ) -> None:
        self.matcher = Matcher(image_text, min_overlap=min_overlap, min_similarity=min_similarity)

    def track(self, images: Sequence[NDArray[np.uint8]], found: Mapping[int, Detections]) -> list[Detections]:
        """The objects of each frame, with ids, in the order in which they were first seen.

        Args:
            images: the frames in order, each (H, W, 3) uint8 RGB, all of one size.
            found: by the place of a frame, what was found in it; their ids are not read. In a frame that is not there,
                nothing was found.

        Returns:
            One for each frame: what was found in it, without empty masks.
        """
        known = Identities(self.matcher)
        answer = []
        for place, image in enumerate(images):
            here = found.get(place) or Detections.nothing(image.shape[:2])
            answer += known.join([image], [replace(here, ids=np.arange(len(here)))])
        return answer
