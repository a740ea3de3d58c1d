"""``supervision.Detections``, for Roboflow's annotators, trackers and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zsavs.errors import MissingExtra

if TYPE_CHECKING:
    from zsavs.result import AVSResult

__all__ = ["to_supervision"]


def to_supervision(result: AVSResult) -> Any:
    """The objects of a result as ``supervision.Detections``.

    Returns:
        Detections with ``xyxy``, ``mask``, ``confidence``, ``class_id`` (the place of the label among the result's, in
        the alphabet's order), ``data["class_name"]``, and of a video's frame ``tracker_id``.

    Raises:
        MissingExtra: supervision is not installed.
    """
    try:
        from supervision import Detections
    except ImportError as error:
        raise MissingExtra('supervision is not installed; run: pip install "zsavs[supervision]"') from error
    ids = {phrase: number for number, phrase in enumerate(sorted(set(result.phrases)))}
    tracks = result.meta.get("tracks")
    return Detections(
        xyxy=np.array(result.boxes_xyxy),
        mask=np.array(result.masks),
        confidence=np.array(result.scores),
        class_id=np.array([ids[phrase] for phrase in result.phrases], np.int64),
        tracker_id=None if tracks is None else np.array(tracks, np.int64),
        data={"class_name": np.array(result.phrases, dtype=np.str_)},
    )
